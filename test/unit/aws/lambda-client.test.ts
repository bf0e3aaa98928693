/** A function's DynamoDB client skips look-ups in files that no function has. It must behave as if it had made them. */
import { describe, expect, it, vi } from 'vitest'
import { createDynamoDbClient, createLambdaDynamoDbClient } from '../../../lib/aws/clients.ts'

/** A setting is a value, or a function that looks it up. */
const resolved = async (setting: unknown): Promise<unknown> =>
  typeof setting === 'function' ? await setting() : setting

/** The results of the look-ups of a client. */
async function settingsOf({ config }: ReturnType<typeof createDynamoDbClient>) {
  return {
    accountIdEndpointMode: await resolved(config.accountIdEndpointMode),
    authSchemePreference: await resolved(config.authSchemePreference),
    defaultsMode: await resolved(config.defaultsMode),
    endpointDiscoveryEnabled: (await resolved(config.endpointDiscoveryEnabled)) ?? false,
    retryMode: await resolved(config.retryMode),
    userAgentAppId: await resolved(config.userAgentAppId),
    useFipsEndpoint: await resolved(config.useFipsEndpoint),
    useDualstackEndpoint: await resolved(config.useDualstackEndpoint),
    maxAttempts: await resolved(config.maxAttempts),
  }
}

describe('the DynamoDB client of a Lambda function', () => {
  it('has the settings that the SDK finds where there are no files', async () => {
    vi.stubEnv('AWS_REGION', 'eu-west-1')
    vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent/config')
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nonexistent/credentials')
    expect(await settingsOf(createLambdaDynamoDbClient())).toEqual(
      await settingsOf(createDynamoDbClient({ region: 'eu-west-1' })),
    )
  })

  it('uses FIPS endpoints where the environment demands them', async () => {
    vi.stubEnv('AWS_REGION', 'us-gov-west-1')
    vi.stubEnv('AWS_USE_FIPS_ENDPOINT', 'true')
    expect(await createLambdaDynamoDbClient().config.useFipsEndpoint()).toBe(true)
  })
})
