/**
 * The REST API in front of the two functions: regional or private, one stage named like the root of the contract, `v1`.
 * All bodies are binary for it (bytes must arrive as they were sent), and it writes one line per request, without query strings.
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
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { LogGroup } from 'aws-cdk-lib/aws-logs'
import { CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2'
import { Construct } from 'constructs'
import { type Access, API_ROOT } from '../protocol/routes.ts'
import { authorization, privatePolicy } from './api-access.ts'
import { addApiKey } from './api-key.ts'
import { addRoutes } from './api-routes.ts'
import { CustomDomain } from './custom-domain.ts'
import { addGatewayResponses } from './gateway-responses.ts'
import type { Settings } from './settings.ts'

/** The stage has the name of the API's root, so that public paths are the same here and on the local server. */
export const STAGE = API_ROOT.slice(1)

/**
 * One line of the access log. `path` is without the query string, where a signature could stand.
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

export interface BucketApiProps {
  readonly settings: Settings
  /** By the access that a route needs; `read` also answers what no route knows. */
  readonly functions: { readonly [A in Access]: IFunction }
}

/**
 * The API of the contract (docs/http-api.md) under the stage `v1`, with the settings' access, limits, domain and web ACL.
 * Where `vpcEndpointIds` are given it is private: nobody gets in but through them.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html — 10 MB to a request, 29 s to an answer
 */
export class BucketApi extends Construct {
  readonly restApi: RestApi
  /** One line of JSON for each request, without query strings; it outlives the stack, for `logRetentionDays`. */
  readonly accessLog: LogGroup
  /** There where `domainName` is set. */
  readonly domain: CustomDomain | undefined
  /** There where `apiKey` is set; the key itself is read in API Gateway, by this id. */
  readonly apiKeyId: string | undefined
  /** The API root, `https://…/v1`: what clients take as their URL. */
  readonly url: string

  constructor(scope: Construct, id: string, { settings, functions }: BucketApiProps) {
    super(scope, id)
    this.accessLog = new LogGroup(this, 'AccessLog', {
      retention: settings.logRetentionDays,
      removalPolicy: RemovalPolicy.RETAIN,
    })
    const { vpcEndpointIds } = settings
    const policy = vpcEndpointIds && privatePolicy(settings, vpcEndpointIds)
    this.restApi = new RestApi(this, 'RestApi', {
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
      // Where callers must show a certificate, the gateway's own address would be a way around it.
      disableExecuteApiEndpoint: settings.truststoreUri !== undefined,
      // The role is the account's, for all its APIs: it stays when this stack goes.
      ...(settings.gatewayLogRole
        ? { cloudWatchRole: true, cloudWatchRoleRemovalPolicy: RemovalPolicy.RETAIN }
        : { cloudWatchRole: false }),
      deployOptions: {
        stageName: STAGE,
        throttlingRateLimit: settings.throttleRate,
        throttlingBurstLimit: settings.throttleBurst,
        metricsEnabled: true,
        loggingLevel: MethodLoggingLevel.OFF,
        accessLogDestination: new LogGroupLogDestination(this.accessLog),
        accessLogFormat: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG_LINE)),
      },
    })
    // The construct's own output would name the address a second time, also where it is closed.
    this.restApi.node.tryRemoveChild('Endpoint')
    // A deployment is a snapshot: without this a changed policy would stay without effect until something else changes.
    if (policy) this.restApi.latestDeployment?.addToLogicalId({ policy: policy.toJSON() })

    const authorize = authorization(this, settings)
    addRoutes(this.restApi, { functions, authorize, openOptions: settings.corsOrigins.length > 0 })
    addGatewayResponses(this.restApi, settings)
    this.apiKeyId = settings.apiKey ? addApiKey(this.restApi, settings).keyId : undefined

    const stage = this.restApi.deploymentStage
    this.domain = CustomDomain.forSettings(this, 'Domain', { settings, stage })
    this.url = this.domain ? this.domain.url : stage.urlForPath('/').replace(/\/$/, '')
    if (settings.webAclArn !== undefined && !settings.local)
      new CfnWebACLAssociation(this, 'WebAcl', { resourceArn: stage.stageArn, webAclArn: settings.webAclArn })
    this.acknowledge(settings)
  }

  private acknowledge(settings: Settings): void {
    Validations.of(this).acknowledge(
      {
        id: 'AwsSolutions-APIG2',
        reason:
          'Requests are validated in the functions, which name every fault at once; the gateway would stop at the first and say less.',
      },
      {
        id: 'AwsSolutions-APIG6',
        reason:
          'Execution logs hold headers and query strings, which Bucket promises never to log; the access log has one line per request.',
      },
    )
    if (settings.gatewayLogRole)
      Validations.of(this).acknowledge({
        id: 'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]',
        reason: 'The policy that AWS keeps for exactly this: API Gateway may write its logs.',
      })
    if (settings.webAclArn === undefined)
      Validations.of(this).acknowledge({
        id: 'AwsSolutions-APIG3',
        reason: "A web ACL is the deployer's: the setting webAclArn associates one.",
      })
    if (settings.access !== 'cognito')
      Validations.of(this).acknowledge({
        id: 'AwsSolutions-COG4',
        reason: `Access is the deployer's choice, here ${settings.access}; the setting access=cognito takes a user pool.`,
      })
    if (settings.corsOrigins.length > 0)
      Validations.of(this).acknowledge({
        id: 'AwsSolutions-APIG4',
        reason:
          'Browsers send preflights (OPTIONS) without credentials; they say nothing about what is stored.',
      })
  }
}
