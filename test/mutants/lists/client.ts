/** Faults in `lib/client/`. */
import type { Mutant } from '../mutant.ts'

export const MUTANTS: readonly Mutant[] = [
  {
    fault: 'wrong bytes reach the reader of a download',
    file: 'lib/client/transfer/download.ts',
    from: '  if (computed !== digest)\n',
    to: '  if (false)\n',
    tests: ['test/unit/client/get.test.ts'],
  },
  {
    fault: 'a download has its name before its bytes are on disk',
    file: 'lib/client/node/partial-file.ts',
    from: '      await this.handle.sync()\n',
    to: '',
    tests: ['test/unit/client/durable-download.test.ts'],
  },
  {
    fault: 'a refusal that a retry cannot cure is repeated',
    file: 'lib/client/api/retry.ts',
    from: '(error instanceof BucketError || error instanceof NetworkError) && error.retryable',
    to: 'error instanceof BucketError || error instanceof NetworkError',
    tests: ['test/unit/client/retry-timing.test.ts'],
  },
  {
    fault: 'credentials go to the target of a redirect',
    file: 'lib/client/api/api-client.ts',
    from: "const onFront = address.startsWith('/') && url.origin === base.origin",
    to: 'const onFront = true',
    tests: ['test/unit/client/auth.test.ts'],
  },
  {
    fault: 'large bytes that the server has lost are called stored',
    file: 'lib/client/transfer/put.ts',
    from: '      const { entry } = await upload(api, ref, source, digests, options)\n      return { entry, created: false, restored: true }\n',
    to: '      return { entry: stored, created: false, restored: false }\n',
    tests: ['test/unit/client/put.test.ts'],
    titles: 'lost blob',
  },
  {
    fault: 'a 200 of a restore is an unexpected response',
    file: 'lib/client/transfer/put.ts',
    from: 'accept: [200, 201],',
    to: 'accept: [201],',
    tests: ['test/unit/client/put.test.ts'],
    titles: 'lost blob',
  },
  {
    fault: 'an answer about another version is believed',
    file: 'lib/client/api/decode.ts',
    from: 'if (formatRef(entry.ref) !== formatRef(ref))',
    to: 'if (false)',
    tests: ['test/unit/client/entries.test.ts', 'test/unit/client/put.test.ts'],
  },
]
