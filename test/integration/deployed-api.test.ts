/** The deployed API keeps the HTTP contract: the same suites as for every other front. */
import { describeHttpApi } from '../contract/http/api.ts'
import { describeUploadApi } from '../contract/http/uploads.ts'
import { deployedTarget } from './deployed-target.ts'

describeHttpApi('deployed', 'redirect', deployedTarget)
describeUploadApi('deployed', deployedTarget)
