/**
 * Who may call the API. The choice is the deployer's and deliberate: `iam` unless another is named, and `none` is said aloud at synth.
 * Bucket itself knows no users; who may write, and where, is decided here, at the gateway.
 */
import { Annotations, Duration, Validations } from 'aws-cdk-lib'
import {
  AuthorizationType,
  CognitoUserPoolsAuthorizer,
  IdentitySource,
  type MethodOptions,
  RequestAuthorizer,
} from 'aws-cdk-lib/aws-apigateway'
import { UserPool } from 'aws-cdk-lib/aws-cognito'
import { AnyPrincipal, Effect, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import type { Access } from '../protocol/routes.ts'
import type { Settings } from './settings.ts'

/** Gives the authorization of a method, by the access that its route needs. */
export type Authorize = (access: Access) => MethodOptions

/** Builds the authorizer, if one is needed, in `scope`. */
export function authorization(scope: Construct, settings: Settings): Authorize {
  const apiKeyRequired = settings.apiKey
  switch (settings.access) {
    case 'iam':
      return () => ({ authorizationType: AuthorizationType.IAM, apiKeyRequired })
    case 'cognito': {
      const pools = settings.cognitoUserPoolArns ?? []
      const authorizer = new CognitoUserPoolsAuthorizer(scope, 'CognitoAuthorizer', {
        cognitoUserPools: pools.map((arn, index) => UserPool.fromUserPoolArn(scope, `UserPool${index}`, arn)),
      })
      const scopes = { read: settings.cognitoReadScopes, write: settings.cognitoWriteScopes }
      return (access) => {
        const authorizationScopes = scopes[access]
        return {
          authorizer,
          apiKeyRequired,
          ...(authorizationScopes ? { authorizationScopes: [...authorizationScopes] } : {}),
        }
      }
    }
    case 'lambda': {
      const handler = LambdaFunction.fromFunctionAttributes(scope, 'AuthorizerFunction', {
        functionArn: settings.authorizerFunctionArn ?? '',
        sameEnvironment: true,
      })
      const authorizer = new RequestAuthorizer(scope, 'LambdaAuthorizer', {
        handler,
        identitySources: [IdentitySource.header('Authorization')],
        // A cached answer would hold for every path and method: each request is decided on its own.
        resultsCacheTtl: Duration.seconds(0),
      })
      return () => ({ authorizer, apiKeyRequired })
    }
    case 'none':
      Annotations.of(scope).addWarningV2(
        'bucket:access-none',
        'access=none: whoever reaches this API may read and store artifacts without credentials.',
      )
      Validations.of(scope).acknowledge({
        id: 'AwsSolutions-APIG4',
        reason: 'The deployer chose access=none, and is warned at every synth.',
      })
      return () => ({ authorizationType: AuthorizationType.NONE, apiKeyRequired })
  }
}

/**
 * The resource policy of a private API: nobody gets in but through the named endpoints.
 * With IAM nothing is allowed beside the Deny that a caller would sign: within one account an Allow here would do in place of the
 * caller's own permission. A preflight carries no credentials that could allow it, so here it must be.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html
 */
export function privatePolicy(
  { access, corsOrigins }: Settings,
  vpcEndpointIds: readonly string[],
): PolicyDocument {
  const statement = {
    principals: [new AnyPrincipal()],
    actions: ['execute-api:Invoke'],
    resources: ['execute-api:/*'],
  }
  const deny = new PolicyStatement({
    ...statement,
    sid: 'OnlyThroughEndpoints',
    effect: Effect.DENY,
    conditions: { StringNotEquals: { 'aws:SourceVpce': [...vpcEndpointIds] } },
  })
  if (access !== 'iam') {
    const allow = new PolicyStatement({ ...statement, sid: 'AuthorizerDecides', effect: Effect.ALLOW })
    return new PolicyDocument({ statements: [deny, allow] })
  }
  const allow = new PolicyStatement({
    ...statement,
    sid: 'PreflightsAreUnsigned',
    effect: Effect.ALLOW,
    resources: ['execute-api:/*/OPTIONS/*'],
  })
  return new PolicyDocument({ statements: corsOrigins.length > 0 ? [deny, allow] : [deny] })
}
