/** The HTTP contract, in process over stores in memory, for both ways of returning the bytes. */
import { describeHttpApi } from './http/api.ts'
import { memoryTarget } from './http/memory-target.ts'

const MIB = 1024 * 1024

const direct = memoryTarget('direct', { maxInlineBytes: MIB, maxArtifactBytes: MIB })
const redirect = memoryTarget('redirect', { maxInlineBytes: MIB / 2, maxArtifactBytes: MIB })

describeHttpApi('in process, giving the bytes', 'direct', () => direct)
describeHttpApi('in process, redirecting', 'redirect', () => redirect)
