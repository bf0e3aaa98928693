/** The deployed API keeps the HTTP contract: the same suite as for every other front. */
import { describeHttpApi } from '../contract/http/api.ts'
import { deployedTarget } from './deployed-target.ts'

describeHttpApi('deployed', 'redirect', deployedTarget)
