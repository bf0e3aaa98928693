/** The contract of uploads, in process over stores in memory. */
import { memoryTarget } from './http/memory-target.ts'
import { describeUploadApi } from './http/uploads.ts'

const MIB = 1024 * 1024

const target = memoryTarget('redirect', { maxInlineBytes: MIB, maxArtifactBytes: 128 * MIB })

describeUploadApi('in process', () => target)
