/** One API key with a usage plan, which meters and throttles callers. The setting `access` decides what they may do. */
import { type IApiKey, Period, type RestApi } from 'aws-cdk-lib/aws-apigateway'
import type { Settings } from './settings.ts'

/** Adds a key and its usage plan to the API's stage. API Gateway generates the key's value; operators read it by the key's id. */
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
