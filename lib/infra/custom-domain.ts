/**
 * A name of the deployer's own for the API, with mutual TLS where a truststore is given. The base path is `v1`,
 * as the stage is, so that every path of the contract is the same under either address. DNS stays the deployer's.
 */

import { DomainName, EndpointType, SecurityPolicy, type Stage } from 'aws-cdk-lib/aws-apigateway'
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import { Bucket } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import { API_ROOT } from '../protocol/routes.ts'
import type { Settings } from './settings.ts'

interface CustomDomainProps {
  readonly domainName: string
  readonly certificateArn: string
  readonly truststoreUri: string | undefined
  readonly truststoreVersion: string | undefined
  readonly stage: Stage
}

/**
 * The domain, TLS 1.2 or later, in front of one stage.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html
 */
export class CustomDomain extends Construct {
  /** The API root under this name, `https://…/v1`. */
  readonly url: string
  /** What the deployer's DNS record must point at. */
  readonly target: string

  /** @returns nothing where the settings name no domain. */
  static forSettings(
    scope: Construct,
    id: string,
    { settings, stage }: { readonly settings: Settings; readonly stage: Stage },
  ): CustomDomain | undefined {
    const { domainName, certificateArn, truststoreUri, truststoreVersion } = settings
    if (domainName === undefined || certificateArn === undefined) return undefined
    return new CustomDomain(scope, id, {
      domainName,
      certificateArn,
      truststoreUri,
      truststoreVersion,
      stage,
    })
  }

  constructor(scope: Construct, id: string, props: CustomDomainProps) {
    super(scope, id)
    const { domainName, certificateArn, stage } = props
    const mtls = this.mutualTls(props)
    const domain = new DomainName(this, 'Name', {
      domainName,
      certificate: Certificate.fromCertificateArn(this, 'Certificate', certificateArn),
      endpointType: EndpointType.REGIONAL,
      securityPolicy: SecurityPolicy.TLS_1_2,
      ...(mtls ? { mtls } : {}),
    })
    domain.addBasePathMapping(stage.restApi, { basePath: API_ROOT.slice(1), stage })
    this.url = `https://${domainName}${API_ROOT}`
    this.target = domain.domainNameAliasDomainName
  }

  private mutualTls({ truststoreUri, truststoreVersion }: CustomDomainProps) {
    const [, bucketName, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(truststoreUri ?? '') ?? []
    if (bucketName === undefined || key === undefined) return undefined
    const bucket = Bucket.fromBucketName(this, 'Truststore', bucketName)
    return { bucket, key, ...(truststoreVersion === undefined ? {} : { version: truststoreVersion }) }
  }
}
