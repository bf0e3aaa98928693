/**
 * The REST API in front of the read and write functions: regional or private, with one stage named after the API root, `v1`.
 * It treats all bodies as binary, so that bytes arrive unchanged, and logs one line per request, without query strings.
 */
import { RemovalPolicy, Validations } from 'aws-cdk-lib'
import {
  AccessLogField,
  AccessLogFormat,
  EndpointType,
  LogGroupLogDestination,
  MethodLoggingLevel,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway'
import { InterfaceVpcEndpoint } from 'aws-cdk-lib/aws-ec2'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { LogGroup } from 'aws-cdk-lib/aws-logs'
import { CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2'
import { Construct } from 'constructs'
import { type Access, API_ROOT } from '../protocol/routes.ts'
import { acknowledge } from './acknowledge.ts'
import { authorization } from './api-access.ts'
import { addApiKey } from './api-key.ts'
import { resourcePolicy } from './api-resource-policy.ts'
import { addRoutes } from './api-routes.ts'
import { CustomDomain } from './custom-domain.ts'
import { addGatewayResponses } from './gateway-responses.ts'
import { serviceLogs } from './service-logs.ts'
import { serviceName } from './service-name.ts'
import type { Settings } from './settings.ts'

/** The stage is named after the API root, so that public paths equal those of the local server. */
export const STAGE = API_ROOT.slice(1)

/**
 * One line of the access log. `path` excludes the query string, which may contain a signature.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
 */
const ACCESS_LOG_LINE = {
  time: AccessLogField.contextRequestTime(),
  request_id: AccessLogField.contextRequestId(),
  method: AccessLogField.contextHttpMethod(),
  path: AccessLogField.contextPath(),
  resource: AccessLogField.contextResourcePath(),
  status: AccessLogField.contextStatus(),
  refusal: AccessLogField.contextErrorResponseType(),
  integration_status: AccessLogField.contextIntegrationStatus(),
  latency_ms: AccessLogField.contextResponseLatency(),
  integration_latency_ms: AccessLogField.contextIntegrationLatency(),
  response_bytes: AccessLogField.contextResponseLength(),
  source_ip: AccessLogField.contextIdentitySourceIp(),
  user_agent: AccessLogField.contextIdentityUserAgent(),
  caller: AccessLogField.contextIdentityUserArn(),
  principal: AccessLogField.contextAuthorizerPrincipalId(),
  api_key_id: AccessLogField.contextIdentityApiKeyId(),
}

/** The address of the stage, without a slash at its end. Emulators serve every API under one host. */
const rootUrl = (api: RestApi, { emulatorUrl }: Settings): string =>
  emulatorUrl === undefined
    ? api.deploymentStage.urlForPath('/').replace(/\/$/, '')
    : `${emulatorUrl}/_aws/execute-api/${api.restApiId}/${STAGE}`

export interface BucketApiProps {
  readonly settings: Settings
  /** Encrypts the access log; undefined means the key of CloudWatch Logs. */
  readonly key: IKey | undefined
  /** The function per access of a route; `read` also handles unknown routes. */
  readonly functions: { readonly [A in Access]: IFunction }
}

/**
 * The API of the contract (docs/http-api.md) under the stage `v1`, with the settings' access, limits, domain and web ACL.
 * With `vpcEndpointIds` it is private and accepts requests only through those endpoints.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html — 10 MB per request, 29 s per response
 */
export class BucketApi extends Construct {
  readonly restApi: RestApi
  /** One line of JSON per request, without query strings. */
  readonly accessLog: LogGroup
  /** Set if `domainName` is. */
  readonly domain: CustomDomain | undefined
  /** Set if `apiKey` is; operators read the key's value in API Gateway by this id. */
  readonly apiKeyId: string | undefined
  /** The API root, `https://…/v1`, which is the URL for clients. */
  readonly url: string

  constructor(scope: Construct, id: string, { settings, key, functions }: BucketApiProps) {
    super(scope, id)
    this.accessLog = serviceLogs(this, 'AccessLog', { settings, key })
    const { vpcEndpointIds, gatewayLogRole = true } = settings
    const policy = resourcePolicy(this, settings)
    this.restApi = new RestApi(this, 'RestApi', {
      // API Gateway's metrics have this name as their dimension, so that two deployments with one name would share them.
      // https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
      restApiName: serviceName(this),
      description: 'Bucket: a storage-only artifact repository',
      endpointConfiguration: vpcEndpointIds
        ? {
            types: [EndpointType.PRIVATE],
            vpcEndpoints: vpcEndpointIds.map((vpcEndpointId) =>
              InterfaceVpcEndpoint.fromInterfaceVpcEndpointAttributes(this, vpcEndpointId, {
                vpcEndpointId,
                port: 443,
              }),
            ),
          }
        : { types: [EndpointType.REGIONAL] },
      ...(policy ? { policy } : {}),
      binaryMediaTypes: ['*/*'],
      // The default endpoint would bypass mutual TLS.
      disableExecuteApiEndpoint: settings.truststoreUri !== undefined,
      // All APIs of the account share this role, so it stays when this stack is deleted.
      ...(gatewayLogRole
        ? { cloudWatchRole: true, cloudWatchRoleRemovalPolicy: RemovalPolicy.RETAIN }
        : { cloudWatchRole: false }),
      deployOptions: {
        stageName: STAGE,
        throttlingRateLimit: settings.throttleRate,
        throttlingBurstLimit: settings.throttleBurst,
        // Detailed metrics, one set per method, cost up to 34 USD a month; the alarms use the metrics of the stage.
        metricsEnabled: false,
        tracingEnabled: settings.tracing,
        loggingLevel: MethodLoggingLevel.OFF,
        accessLogDestination: new LogGroupLogDestination(this.accessLog),
        accessLogFormat: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG_LINE)),
      },
    })
    // The stack has its own `ApiUrl` output. This one would also name an endpoint that is disabled.
    this.restApi.node.tryRemoveChild('Endpoint')
    // A deployment is a snapshot: without this, a changed policy would take effect only with the next other change.
    if (policy) this.restApi.latestDeployment?.addToLogicalId({ policy: policy.toJSON() })

    const authorize = authorization(this, settings)
    addRoutes(this.restApi, { functions, authorize, openOptions: settings.corsOrigins.length > 0 })
    addGatewayResponses(this.restApi, settings)
    this.apiKeyId = settings.apiKey ? addApiKey(this.restApi, settings).keyId : undefined

    const stage = this.restApi.deploymentStage
    this.domain = CustomDomain.forSettings(this, 'Domain', { settings, stage })
    this.url = this.domain?.url ?? rootUrl(this.restApi, settings)
    if (settings.webAclArn !== undefined && settings.emulatorUrl === undefined)
      new CfnWebACLAssociation(this, 'WebAcl', { resourceArn: stage.stageArn, webAclArn: settings.webAclArn })
    acknowledge(stage, {
      CKV_AWS_120:
        'Responses depend on the caller and the moment; clients and CDNs cache immutable bytes by their headers.',
      ...(settings.tracing ? {} : { CKV_AWS_73: 'The setting tracing turns X-Ray on.' }),
    })
    this.acknowledge(settings)
  }

  private acknowledge(settings: Settings): void {
    Validations.of(this).acknowledge(
      {
        id: 'AwsSolutions-APIG2',
        reason:
          'The functions validate requests and report every error at once; the gateway would report only the first.',
      },
      {
        id: 'AwsSolutions-APIG6',
        reason:
          'Execution logs contain headers and query strings, which Bucket never logs; the access log has one line per request.',
      },
    )
    if (settings.gatewayLogRole ?? true)
      Validations.of(this).acknowledge({
        id: 'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]',
        reason: 'AWS maintains this policy for API Gateway to write its logs.',
      })
    if (settings.webAclArn === undefined)
      Validations.of(this).acknowledge({
        id: 'AwsSolutions-APIG3',
        reason: 'The deployer provides the web ACL with the setting webAclArn.',
      })
    if (settings.access !== 'cognito')
      Validations.of(this).acknowledge({
        id: 'AwsSolutions-COG4',
        reason: `The deployer chose access=${settings.access}; access=cognito would use a user pool.`,
      })
    if (settings.corsOrigins.length > 0)
      Validations.of(this).acknowledge({
        id: 'AwsSolutions-APIG4',
        reason:
          'Browsers send preflights (OPTIONS) without credentials; the responses reveal nothing about stored artifacts.',
      })
  }
}
