/** The cost section of docs/deployment.md is what the prices, the calls and the template give. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { METRICS } from '../../lib/deployment/metrics.ts'
import { costTables, FIXED, monthlyCost, OPERATIONS } from '../../lib/infra/cost.ts'
import { synthesize } from './synthesized.ts'

const count = (type: string) => Object.keys(synthesize().resources(type)).length

describe('the cost of a deployment', () => {
  it('is documented as `npm run cost` prints it', () => {
    const page = readFileSync('docs/deployment.md', 'utf8')
    const [, documented] = /<!-- npm run cost -->\n([\s\S]*?)<!-- end of npm run cost -->/.exec(page) ?? []
    expect(documented, 'run `npm run cost -- --write`').toBe(`${costTables()}\n`)
  })

  it('counts the resources of the template that have a monthly price', () => {
    expect(FIXED).toEqual({
      alarms: count('AWS::CloudWatch::Alarm'),
      customMetrics: count('AWS::Logs::MetricFilter') + Object.keys(METRICS).length,
      dashboards: count('AWS::CloudWatch::Dashboard'),
      polledQueues: count('AWS::Lambda::EventSourceMapping'),
    })
  })

  it('of an operation is the sum of its services', () => {
    for (const { sum, gateway, lambda, dynamodb, s3, logs } of Object.values(OPERATIONS))
      expect(sum).toBeCloseTo(gateway + lambda + dynamodb + s3 + logs, 6)
    // 3.50 for the gateway, half a read unit for one eventually consistent read, one GET.
    expect(OPERATIONS.fetch).toMatchObject({ gateway: 3.5, dynamodb: 0.0625, s3: 0.4 })
  })

  it('names the limit that a growing deployment meets first', () => {
    expect(monthlyCost(1_000_000).use).toBeLessThan(0.01)
    expect(monthlyCost(10_000_000_000)).toMatchObject({ limit: expect.stringContaining('throttleRate') })
  })
})
