/** The contract of uploads (docs/http-api.md, section 7), for fronts whose store takes presigned requests. */
import { describe, expect, test } from 'vitest'
import { expectProblem } from '../../support/problem.ts'
import { header } from '../../support/raw-http.ts'
import { describeLostBlobUploads } from './lost-blobs.ts'
import { freshRef, OTHER_DIGEST } from './requests.ts'
import { needs, type TargetThunk } from './target.ts'
import { UPLOAD_RESOURCES } from './upload-requests.ts'
import { describeUploadBegin } from './uploads-begin.ts'
import { describeUploadMultipart } from './uploads-multipart.ts'
import { describeUploadSingle } from './uploads-single.ts'

/** @param target called inside of hooks and tests only, as in `describeHttpApi`. */
export function describeUploadApi(name: string, target: TargetThunk): void {
  describe(`uploads: ${name}`, () => {
    describeUploadBegin(target)
    describeUploadSingle(target)
    describeUploadMultipart(target)
    describeLostBlobUploads(target)

    test('an unknown method on an upload is 405 with Allow', async (context) => {
      needs(context, target(), 'any-method')
      const ref = freshRef()
      for (const { path, methods } of UPLOAD_RESOURCES) {
        const response = await target().send({ method: 'PATCH', path: path(ref, OTHER_DIGEST) })
        expectProblem(response, 'method_not_allowed')
        const listed = (header(response, 'Allow') ?? '')
          .split(/, ?/)
          .filter((one) => !['HEAD', 'OPTIONS'].includes(one))
        expect(listed.sort()).toEqual(methods)
      }
    })
  })
}
