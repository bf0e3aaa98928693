/** Where AWS's services are, for the calls that no SDK client makes. */

/**
 * The domain name of a service in a region; China has a top-level domain of its own.
 *
 * @param service as AWS names it in addresses: `s3`, `cloudformation`.
 * @see https://docs.aws.amazon.com/general/latest/gr/rande.html
 */
export const serviceDomain = (service: string, region: string): string =>
  `${service}.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`
