/** Faults in `lib/http/`. */
import type { Mutant } from '../mutant.ts'

export const MUTANTS: readonly Mutant[] = [
  {
    fault: 'a body whose store fails after the first chunk is ended instead of cut',
    file: 'lib/http/node/outgoing.ts',
    from: '    outgoing.destroy()\n',
    to: '    outgoing.end()\n',
    tests: ['test/unit/http/node/outgoing.test.ts'],
  },
  {
    fault: 'a JSON body without Content-Length is not bounded',
    file: 'lib/http/json-body.ts',
    from: 'if (body.size + chunk.byteLength > MAX_JSON_BYTES) return tooLarge',
    to: '',
    tests: ['test/unit/http/json-body.test.ts'],
  },
  {
    fault: 'a JSON body that announces too much is read',
    file: 'lib/http/json-body.ts',
    from: 'if ((request.size ?? 0) > MAX_JSON_BYTES) return tooLarge',
    to: '',
    tests: ['test/unit/http/json-body.test.ts'],
  },
  {
    fault: 'pages of any origin are accepted',
    file: 'lib/http/node/host-check.ts',
    from: '!allowed.origins.has(page) && ',
    to: 'false && ',
    tests: ['test/contract/http-local.test.ts'],
    titles: 'Origin',
  },
  {
    fault: 'a coded body is stored',
    file: 'lib/http/request-reader.ts',
    from: "codings.filter((coding) => coding !== '' && coding !== 'identity')",
    to: '[] as string[]',
    tests: ['test/contract/http-in-process.test.ts'],
    titles: 'Content-Encoding',
  },
  {
    fault: 'a weak entity tag matches If-Match',
    file: 'lib/http/preconditions.ts',
    from: 'ifMatch.some(({ weak, opaque }) => !weak && opaque === entry.digest)',
    to: 'ifMatch.some(({ opaque }) => opaque === entry.digest)',
    tests: ['test/contract/http-in-process.test.ts'],
    titles: 'If-Match',
  },
  {
    fault: 'a restored blob is reported as created',
    file: 'lib/http/write-handlers.ts',
    from: "outcome === 'created' ? 201 : 200, headers: entryHeaders(entry), content: entry }\n  },\n\n  async beginUpload",
    to: '201, headers: entryHeaders(entry), content: entry }\n  },\n\n  async beginUpload',
    tests: ['test/contract/http-in-process.test.ts'],
    titles: 'lost blob',
  },
  {
    fault: 'HEAD calls a lost blob stored',
    file: 'lib/http/fetch.ts',
    from: '  await assertHasBytes(entry, context)\n',
    to: '',
    tests: ['test/unit/local/lost-bytes.test.ts'],
    titles: 'a missing file',
  },
  {
    fault: 'requests that a stop cuts off leave no line',
    file: 'lib/http/node/server.ts',
    from: '        for (const socket of connections.keys()) socket.destroy()\n',
    to: '',
    tests: ['test/e2e/start-stop.test.ts'],
    titles: 'drain limit',
  },
]
