/**
 * A refusal before the body is read reaches clients that send everything before they read anything. Python's urllib does so and
 * asks to close the connection; if the server closed first, the client would see a broken pipe and retry forever.
 */
import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
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

def with_requests():
    import requests
    return requests.put(url, data=data, headers=headers, timeout=60).status_code

send = {"urllib": with_urllib, "http.client": with_http_client, "requests": with_requests}[client]
print(send(), send(), send())
`

/** The same in Go: its client sends the whole body, or stops when the response arrives. */
const GO = `
package main

import ("bytes"; "crypto/sha256"; "fmt"; "io"; "net/http"; "os"; "strconv")

func main() {
  size, _ := strconv.Atoi(os.Args[2])
  data := bytes.Repeat([]byte{7}, size)
  for i := 0; i < 3; i++ {
    request, _ := http.NewRequest("PUT", os.Args[1], bytes.NewReader(data))
    request.Header.Set("X-Artifact-Digest", fmt.Sprintf("sha256:%x", sha256.Sum256(data)))
    response, err := http.DefaultClient.Do(request)
    if err != nil { fmt.Println(err); os.Exit(1) }
    io.Copy(io.Discard, response.Body)
    response.Body.Close()
    fmt.Print(response.StatusCode, " ")
  }
}
`

/** The same in Java, which runs a single source file without a build. */
const JAVA = `
import java.net.URI;
import java.net.http.*;
import java.security.MessageDigest;
import java.util.*;

class Twice {
  public static void main(String[] args) throws Exception {
    byte[] data = new byte[Integer.parseInt(args[1])];
    Arrays.fill(data, (byte) 7);
    String digest = "sha256:" + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(data));
    for (int i = 0; i < 3; i++) {
      HttpRequest request = HttpRequest.newBuilder(URI.create(args[0])).version(HttpClient.Version.HTTP_1_1)
        .header("X-Artifact-Digest", digest).PUT(HttpRequest.BodyPublishers.ofByteArray(data)).build();
      System.out.print(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.discarding()).statusCode() + " ");
    }
  }
}
`

/** How each client is run, and what tells whether it is installed. */
const CLIENTS: Readonly<
  Record<string, { needs: readonly string[]; source?: string; text?: string; command: readonly string[] }>
> = {
  "Python's urllib": { needs: ['python3', '--version'], command: ['python3', '-c', TWICE, 'urllib'] },
  "Python's http.client": {
    needs: ['python3', '--version'],
    command: ['python3', '-c', TWICE, 'http.client'],
  },
  "Python's requests": {
    needs: ['python3', '-c', 'import requests'],
    command: ['python3', '-c', TWICE, 'requests'],
  },
  "Go's net/http": {
    needs: ['go', 'version'],
    source: 'twice.go',
    text: GO,
    command: ['go', 'run', 'twice.go'],
  },
  "Java's HttpClient": {
    needs: ['java', '--version'],
    source: 'Twice.java',
    text: JAVA,
    command: ['java', 'Twice.java'],
  },
}

const isInstalled = ([program = '', ...args]: readonly string[]) =>
  spawnSync(program, args, { stdio: 'ignore' }).status === 0

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

  test.for(Object.entries(CLIENTS))(
    'gets its 409 through %s',
    { timeout: 120_000 },
    async ([name, client], context) => {
      const { needs, source, text = '', command } = client
      const [program = '', ...args] = command
      // Go compiles its standard library first, which takes a minute without a cache. `.ci/run` asks for it.
      if (program === 'go' && process.env.BUCKET_GO_CLIENT === undefined)
        return context.skip('BUCKET_GO_CLIENT is not set')
      if (!isInstalled(needs)) return context.skip(`\`${needs.join(' ')}\` does not run here`)
      if (source !== undefined) await writeFile(join(folder, source), text)
      const url = `${server.url}/buckets/early/artifacts/${name.replace(/\W/g, '-')}/versions/v1`
      const environment = {
        ...process.env,
        GO111MODULE: 'off',
      }
      const { stdout } = await run(program, [...args, url, String(32 * MIB)], {
        cwd: folder,
        env: environment,
      })
      expect(stdout.trim()).toBe('201 409 409')
    },
  )
})
