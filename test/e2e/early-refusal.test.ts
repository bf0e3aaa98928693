/**
 * A refusal before the body is read reaches clients that send everything before they read anything. Python's urllib does so and
 * asks to close the connection; if the server closed first, the client would see a broken pipe and retry forever.
 */
import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ServedFolder, serveFolder } from '../support/served-folder.ts'

const MIB = 1024 * 1024
const run = promisify(execFile)

/** Stores `size` bytes twice, with the same digest header, and prints the status of each response. */
const TWICE = `
import hashlib, http.client, sys, urllib.error, urllib.request
client, url, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
data = b"\\x07" * size
headers = {"X-Artifact-Digest": "sha256:" + hashlib.sha256(data).hexdigest()}

def with_urllib():
    request = urllib.request.Request(url, data=data, headers=headers, method="PUT")
    try:
        return urllib.request.urlopen(request, timeout=60).status
    except urllib.error.HTTPError as error:
        error.read()
        return error.code

def with_http_client():
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request("PUT", "/" + path, body=data, headers=headers)
    response = connection.getresponse()
    response.read()
    return response.status

send = with_urllib if client == "urllib" else with_http_client
print(send(), send(), send())
`

const hasPython = (() => {
  try {
    execFileSync('python3', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

describe('a store that is refused before its body is read', () => {
  let folder: string
  let server: ServedFolder

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bucket-early-'))
    server = await serveFolder(join(folder, 'data'))
  })

  afterAll(async () => {
    await server?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  test.for(['urllib', 'http.client'])('gets its 409 through Python’s %s', async (client, context) => {
    if (!hasPython) return context.skip('python3 is not installed')
    const url = `${server.url}/buckets/early/artifacts/${client}/versions/v1`
    const { stdout } = await run('python3', ['-c', TWICE, client, url, String(32 * MIB)])
    expect(stdout.trim()).toBe('201 409 409')
  })
})
