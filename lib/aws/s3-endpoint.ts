/** The S3 endpoint that the SDK finds in its own sources: environment, profile or configuration file. */
import { HeadBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { getEndpointFromInstructions } from '@smithy/core/endpoints'

/**
 * Presigned requests are signed without the SDK's client, so they must know the endpoint that the client uses. Otherwise links
 * would point to AWS, to an S3 bucket of the same name that may belong to a stranger.
 *
 * @returns undefined for AWS's own endpoint.
 * @throws Error if no region is configured, or if the endpoint is not an http or https URL.
 */
export async function configuredS3Endpoint(region: string | undefined): Promise<string | undefined> {
  const { config } = new S3Client(region === undefined ? {} : { region })
  await config.region().catch((cause: unknown) => {
    throw new Error('no AWS region is set (AWS_REGION, or region of the profile)', { cause })
  })
  const invalid = (cause: unknown) => {
    const message = 'the S3 endpoint is not a URL that starts with http:// or https:// (AWS_ENDPOINT_URL_S3'
    throw new Error(`${message}, AWS_ENDPOINT_URL, or endpoint_url of the profile)`, { cause })
  }
  // Resolving one makes the SDK read its sources, and fails for an endpoint without a scheme.
  await getEndpointFromInstructions({ Bucket: 'bucket' }, HeadBucketCommand, config).catch(invalid)
  if (!config.isCustomEndpoint || !config.endpoint) return undefined
  const { protocol, hostname, port, path } = await config.endpoint()
  if (protocol !== 'http:' && protocol !== 'https:') return invalid(protocol)
  return `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path.replace(/\/$/, '')}`
}
