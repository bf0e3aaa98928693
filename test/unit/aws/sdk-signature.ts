/** What the tests of presigned requests share: the client that signs, and what of a URL is compared with the SDK's. */
import { createS3Client, SERVER_BLOB_LIMITS } from '../../../lib/aws/clients.ts'

/** Where a request leads, and who signs it. */
export interface Place {
  readonly region: string
  readonly endpoint?: string
  readonly sessionToken?: string
}

export function clientOf({ region, endpoint, sessionToken }: Place) {
  const client = createS3Client({ region, endpoint }, SERVER_BLOB_LIMITS)
  client.config.credentials = async () => ({
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    ...(sessionToken === undefined ? {} : { sessionToken }),
  })
  return client
}

/** The query in any order. */
export const parts = (url: string) => {
  const { protocol, host, pathname, searchParams } = new URL(url)
  return { protocol, host, pathname, query: Object.fromEntries(searchParams) }
}
