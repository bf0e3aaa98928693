/** One API key with a usage plan: it counts and slows its callers. It says who is billed, not who may do what: that is `access`. */

import { CfnOutput } from 'aws-cdk-lib'
import { Period, type RestApi } from 'aws-cdk-lib/aws-apigateway'
import type { Construct } from 'constructs'
import type { Settings } from './settings.ts'

/** Adds the key, its plan on the API's stage, and an output with the key's id (its value stays in API Gateway). */
export function addApiKey(scope: Construct, api: RestApi, settings: Settings): void {
  const quota = settings.apiKeyMonthlyQuota
  const plan = api.addUsagePlan('UsagePlan', {
    description: 'Callers of Bucket with an API key',
    apiStages: [{ api: api.deploymentStage.restApi, stage: api.deploymentStage }],
    throttle: { rateLimit: settings.throttleRate, burstLimit: settings.throttleBurst },
    ...(quota === undefined ? {} : { quota: { limit: quota, period: Period.MONTH } }),
  })
  const key = api.addApiKey('ApiKey', { description: 'Bucket' })
  plan.addApiKey(key)
  new CfnOutput(scope, 'ApiKeyId', {
    value: key.keyId,
    description: 'aws apigateway get-api-key --include-value --api-key …',
  })
}
