/** Each alarm fires on the time series that its section of the runbook describes, and stays silent on healthy ones. */
import { describe, expect, it } from 'vitest'
import { firesAt, type Sample } from './alarm-evaluation.ts'
import { synthesize } from './synthesized.ts'

/** One value per minute, from `from` for `minutes`, every `step` minutes. */
function series(
  metric: string,
  value: number | ((minute: number) => number),
  { minutes = 60, from = 60, step = 1 }: { minutes?: number; from?: number; step?: number } = {},
): Sample[] {
  const samples: Sample[] = []
  for (let at = from; at < from + minutes; at += step)
    samples.push({ metric, at, value: typeof value === 'number' ? value : value(at) })
  return samples
}

/** `count` requests in each minute, of which the first `bad` have the value `badValue` and the others `goodValue`. */
const requests = (
  metric: string,
  { count, bad, badValue, goodValue }: { count: number; bad: number; badValue: number; goodValue: number },
  minutes = 20,
): Sample[] =>
  series(metric, 0, { minutes }).flatMap(({ at }) =>
    Array.from({ length: count }, (_, index) => ({
      metric,
      at,
      value: index < bad ? badValue : goodValue,
    })),
  )

/** An invocation that starts at `at`: its metrics carry this time and arrive at its end. */
const invocation = (metric: string, at: number, value: number, minutes: number): Sample => ({
  metric,
  at,
  value,
  received: at + minutes,
})

interface Scenario {
  readonly title: string
  readonly samples: readonly Sample[]
  /** The latest minute after the start (minute 60) at which the alarm must fire; undefined if it must not. */
  readonly within?: number
}

const failing = { badValue: 1, goodValue: 0 }
const sustained = (metric: string): Scenario[] => [
  { title: 'happens in every minute', samples: series(metric, 3), within: 11 },
  { title: 'happens once every ten minutes', samples: series(metric, 1, { step: 10 }), within: 21 },
  { title: 'happens once', samples: series(metric, 1, { minutes: 1 }) },
  { title: 'is zero', samples: series(metric, 0) },
]
const slow = (metric: string, limit: number): Scenario[] => [
  {
    title: 'is above the limit for 2 % of the requests',
    samples: requests(metric, { count: 50, bad: 1, badValue: limit + 1, goodValue: 10 }, 20),
    within: 16,
  },
  {
    title: 'is above the limit for a single request every five minutes',
    samples: series(metric, limit + 1, { step: 5 }),
    within: 16,
  },
  { title: 'is below the limit', samples: series(metric, limit - 1) },
  { title: 'is above the limit once', samples: series(metric, limit + 1, { minutes: 1 }) },
]
const crash: Scenario[] = [
  { title: 'one call crashes', samples: [{ metric: 'Errors', at: 60, value: 1 }], within: 1 },
  { title: 'all calls end well', samples: series('Errors', 0) },
]

const SCENARIOS: Readonly<Record<string, readonly Scenario[]>> = {
  ApiServerErrors: [
    {
      title: '2 % of many requests fail',
      samples: requests('5XXError', { count: 50, bad: 1, ...failing }),
      within: 11,
    },
    {
      title: 'the only request in ten minutes fails, again and again',
      samples: series('5XXError', 1, { step: 10 }),
      within: 21,
    },
    { title: 'one request of many fails', samples: requests('5XXError', { count: 200, bad: 1, ...failing }) },
    { title: 'a single request fails', samples: series('5XXError', 1, { minutes: 1 }) },
    { title: 'no request fails', samples: series('5XXError', 0) },
  ],
  ApiThrottles: sustained('ThrottledRequests'),
  ApiLatency: slow('Latency', 5000),
  ReadErrors: crash,
  WriteErrors: crash,
  VerifyErrors: [
    ...crash,
    {
      title: 'a verification times out, whose metrics arrive 15 minutes late',
      samples: [invocation('Errors', 60, 1, 15)],
      within: 16,
    },
  ],
  ReadThrottles: sustained('Throttles'),
  WriteThrottles: sustained('Throttles'),
  VerifyThrottles: sustained('Throttles'),
  ReadDuration: slow('Duration', 22_400),
  WriteDuration: slow('Duration', 22_400),
  VerifyDuration: [
    {
      title: 'one verification takes 12.5 minutes, whose metrics arrive at its end',
      samples: [invocation('Duration', 60, 750_000, 13)],
      within: 14,
    },
    { title: 'a verification takes 11 minutes', samples: [invocation('Duration', 60, 660_000, 11)] },
  ],
  LedgerReadThrottles: sustained('ReadThrottleEvents'),
  LedgerWriteThrottles: sustained('WriteThrottleEvents'),
  UploadsReadThrottles: sustained('ReadThrottleEvents'),
  UploadsWriteThrottles: sustained('WriteThrottleEvents'),
  LedgerGetItemErrors: sustained('SystemErrors'),
  LedgerQueryErrors: sustained('SystemErrors'),
  LedgerPutItemErrors: sustained('SystemErrors'),
  UploadsGetItemErrors: sustained('SystemErrors'),
  UploadsPutItemErrors: sustained('SystemErrors'),
  UploadsDeleteItemErrors: sustained('SystemErrors'),
  VerificationDelayed: [
    {
      title: 'a message waits without being received',
      samples: series('ApproximateAgeOfOldestMessage', (minute) => (minute - 60) * 60),
      within: 31,
    },
    {
      title: 'a verification takes 14 minutes',
      samples: series('ApproximateAgeOfOldestMessage', (minute) => (minute - 60) * 60, { minutes: 14 }),
    },
  ],
  VerificationRetried: [
    {
      // The age metric leaves it out.
      title: 'a message is delivered for the fourth time',
      samples: [{ metric: 'VerificationRetries', at: 60, value: 1 }],
      within: 1,
    },
    { title: 'no message is', samples: series('VerificationRetries', 0) },
  ],
  VerificationAbandoned: [
    {
      title: 'the verifier receives a dead letter',
      samples: [{ metric: 'NumberOfMessagesReceived', at: 60, value: 1 }],
      within: 1,
    },
    { title: 'there are none', samples: series('NumberOfMessagesReceived', 0) },
  ],
  LostBlobs: [
    {
      title: 'one request finds a lost blob',
      samples: [{ metric: 'LostBlobs', at: 60, value: 1 }],
      within: 1,
    },
    { title: 'no request does', samples: series('LostBlobs', 0) },
  ],
  DeadLetters: [
    {
      title: 'the verifier receives no messages',
      samples: series('ApproximateNumberOfMessagesVisible', 1),
      within: 16,
    },
    { title: 'messages are received', samples: series('ApproximateNumberOfMessagesVisible', 0) },
  ],
  DeadLettersInFlight: [
    {
      // The verifier receives it and fails. Then it is in flight for 20 minutes, and visible for a moment.
      title: 'a message keeps failing',
      samples: series('ApproximateNumberOfMessagesNotVisible', (minute) => (minute % 20 === 0 ? 0 : 1)),
      within: 16,
    },
    {
      title: 'a message is handled at its first delivery',
      samples: series('ApproximateNumberOfMessagesNotVisible', (minute) => (minute === 60 ? 1 : 0)),
    },
  ],
}

const alarms = Object.entries(synthesize().resources('AWS::CloudWatch::Alarm')).map(
  ([id, { Properties }]) => ({
    id: id.replace(/^ServiceAlarms|[0-9A-F]{8}$/g, ''),
    properties: Properties,
  }),
)

it('each alarm has scenarios', () => {
  expect(Object.keys(SCENARIOS).sort()).toEqual(alarms.map(({ id }) => id).sort())
})

describe.each(alarms)('$id', ({ id, properties }) => {
  it.each([...(SCENARIOS[id] ?? [])])('when $title', ({ samples, within }) => {
    const period = Number(properties.Period ?? 300) / 60
    for (const phase of [0, Math.floor(period / 2), period - 1]) {
      const minute = firesAt(properties, samples, phase)
      if (within === undefined) expect(minute, `phase ${phase}`).toBeUndefined()
      else expect((minute ?? Number.POSITIVE_INFINITY) - 60, `phase ${phase}`).toBeLessThanOrEqual(within)
    }
  })

  it('stays silent while the service is idle', () => {
    expect(firesAt(properties, [{ metric: 'unrelated', at: 60, value: 1 }], 0)).toBeUndefined()
  })
})
