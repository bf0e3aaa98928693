/**
 * A custom domain for the API, with mutual TLS if a truststore is set. The base path is `v1`, like the stage, so that paths are
 * the same under both addresses. The deployer manages DNS.
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
 * The domain of one stage; it requires TLS 1.2 or later.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html
 */
export class CustomDomain extends Construct {
  /** The API root under this domain, `https://…/v1`. */
  readonly url: string
  /** The target for the deployer's DNS record. */
  readonly target: string

  /** @returns undefined if `domainName` is not set. */
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
