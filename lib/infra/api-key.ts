/** One API key with a usage plan: it counts and slows its callers. It says who is billed, not who may do what: that is `access`. */
import { type IApiKey, Period, type RestApi } from 'aws-cdk-lib/aws-apigateway'
import type { Settings } from './settings.ts'

/** Adds a key and its plan to the API's stage. The key's value stays in API Gateway, where it can be read by its id. */
export function addApiKey(api: RestApi, settings: Settings): IApiKey {
  const quota = settings.apiKeyMonthlyQuota
  const plan = api.addUsagePlan('UsagePlan', {
    description: 'Callers of Bucket with an API key',
    apiStages: [{ api: api.deploymentStage.restApi, stage: api.deploymentStage }],
    throttle: { rateLimit: settings.throttleRate, burstLimit: settings.throttleBurst },
    ...(quota === undefined ? {} : { quota: { limit: quota, period: Period.MONTH } }),
  })
  const key = api.addApiKey('ApiKey', { description: 'Bucket' })
  plan.addApiKey(key)
  return key
}
