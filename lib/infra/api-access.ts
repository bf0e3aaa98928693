/**
 * Who may call the API. The deployer chooses: the default is `iam`, and `none` is a warning at every synth.
 * Bucket has no users of its own, so the gateway decides who may read and write.
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
import { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import type { Access } from '../protocol/routes.ts'
import type { Settings } from './settings.ts'

/** The method options that authorize a route of the given access. */
export type MethodAuthorization = (access: Access) => MethodOptions

/** Creates the authorizer in `scope`, if the setting `access` needs one. */
export function authorization(scope: Construct, settings: Settings): MethodAuthorization {
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
        // A cached decision would apply to every path and method, so the authorizer decides each request.
        resultsCacheTtl: Duration.seconds(0),
      })
      return () => ({ authorizer, apiKeyRequired })
    }
    case 'none':
      Annotations.of(scope).addWarningV2(
        'bucket:access-none',
        'access=none: anyone who can reach this API may read and store artifacts without credentials.',
      )
      Validations.of(scope).acknowledge({
        id: 'AwsSolutions-APIG4',
        reason: 'The deployer chose access=none and gets a warning at every synth.',
      })
      return () => ({ authorizationType: AuthorizationType.NONE, apiKeyRequired })
  }
}
