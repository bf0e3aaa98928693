/** The failure of an upload as the rows of both stores keep it: details under their names on the wire. */
import type { UploadFailure } from '../domain/failure.ts'
import { decodeDetails, type JsonObject } from './decode.ts'
import { encodeDetails } from './encode.ts'

export interface StoredFailure {
  readonly code: UploadFailure['code']
  readonly detail: string
  readonly members: JsonObject
}

export const encodeFailure = ({ code, detail, details }: UploadFailure): StoredFailure => ({
  code,
  detail,
  members: encodeDetails({ details }, { requestId: '' }),
})

/** Code and members were written together, so they form one failure again. */
export const decodeFailure = ({ code, detail, members }: StoredFailure): UploadFailure =>
  ({ code, detail, details: decodeDetails(members) }) as UploadFailure
