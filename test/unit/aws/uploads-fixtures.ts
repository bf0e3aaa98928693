/** Uploads for the tests of the AWS adapters. */
import { UPLOAD_SECONDS } from '../../../lib/domain/limits.ts'
import type { UploadRecord } from '../../../lib/repository/upload-ports.ts'
import { described } from '../../support/described.ts'
import { recordOf } from '../../support/fake-artifacts.ts'
import { blobOf } from './fixtures.ts'

export const NOW = Date.parse('2026-11-23T04:05:06.789Z')
export const ATTEMPT = '0d87fb61-ec50-411c-bd28-6ceca8891aec'
export const OTHER_ATTEMPT = 'bde15b1d-5973-4ace-953d-6ba613d25541'

const description = described({ contentType: 'application/x-tar', uploadedBy: 'trainer-5' })

/** An upload in parts whose place is called `the-place`. */
export const uploadOf = (bytes: Uint8Array, over: Partial<UploadRecord> = {}): UploadRecord =>
  recordOf(blobOf(bytes), bytes.byteLength, {
    ...{ attempt: ATTEMPT, stagingId: 'the-place', description },
    expiresAt: NOW + UPLOAD_SECONDS * 1000,
    ...over,
  })
