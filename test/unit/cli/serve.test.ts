import { describe, expect, it } from 'vitest'
import { Interrupted } from '../../../lib/cli/failure.ts'
import { readServeSettings, type ServeSettings } from '../../../lib/cli/serve-settings.ts'
import { bucket } from './command-line.ts'

const BODY_AND_CONNECTIONS = { minBodyRate: 1024, bodyGrace: 60_000, maxConnections: 1024 }

describe('the settings of serve', () => {
  it('default to loopback, port 9470, .bucket and 5 GiB', () => {
    expect(readServeSettings({}, {})).toEqual({
      store: 'local',
      host: '127.0.0.1',
      port: 9470,
      dataDir: '.bucket',
      maxArtifactBytes: 5 * 1024 ** 3,
      publicUrl: undefined,
      allowedHosts: [],
      drainLimit: 30_000,
      ...BODY_AND_CONNECTIONS,
    })
  })

  it('come from the environment, and options take precedence', () => {
    const environment = {
      BUCKET_STORE: 'local',
      BUCKET_HOST: '0.0.0.0',
      BUCKET_PORT: '1',
      BUCKET_DATA_DIR: 'd',
      BUCKET_MAX_ARTIFACT_BYTES: '5MB',
      BUCKET_PUBLIC_URL: 'https://artifacts.example',
      BUCKET_DRAIN_LIMIT: '1.5m',
      BUCKET_MIN_BODY_RATE: '2KiB',
      BUCKET_BODY_GRACE: '5s',
      BUCKET_MAX_CONNECTIONS: '10',
    }
    expect(readServeSettings({ port: '0' }, environment)).toEqual({
      store: 'local',
      host: '0.0.0.0',
      port: 0,
      dataDir: 'd',
      maxArtifactBytes: 5_000_000,
      publicUrl: new URL('https://artifacts.example'),
      allowedHosts: [],
      drainLimit: 90_000,
      minBodyRate: 2048,
      bodyGrace: 5_000,
      maxConnections: 10,
    })
  })

  it('name the AWS stores by option or environment, optionally with the queue of a deployed verifier', () => {
    const environment = {
      BUCKET_STORE: 'aws',
      BUCKET_BLOB_BUCKET: 'b',
      BUCKET_STAGING_BUCKET: 's',
      BUCKET_LEDGER_TABLE: 'l',
      BUCKET_UPLOADS_TABLE: 'u',
    }
    expect(readServeSettings({ ledgerTable: 'mine', region: 'eu-west-1' }, environment)).toEqual({
      store: 'aws',
      host: '127.0.0.1',
      port: 9470,
      maxArtifactBytes: 5 * 1024 ** 3,
      publicUrl: undefined,
      allowedHosts: [],
      drainLimit: 30_000,
      ...BODY_AND_CONNECTIONS,
      blobBucket: 'b',
      stagingBucket: 's',
      ledgerTable: 'mine',
      uploadsTable: 'u',
      verificationQueueUrl: undefined,
      region: 'eu-west-1',
    })
  })

  it('take further hosts from options that are repeated, or from a list in the environment', () => {
    const listed = { BUCKET_ALLOWED_HOSTS: 'bucket, bucket.local:8080' }
    expect(readServeSettings({}, listed).allowedHosts).toEqual(['bucket', 'bucket.local:8080'])
    const given = { allowedHost: ['one', '[::1]:80'] }
    expect(readServeSettings(given, listed).allowedHosts).toEqual(['one', '[::1]:80'])
    for (const wrong of ['http://bucket', 'a b', '', 'x:port'])
      expect(() => readServeSettings({ allowedHost: [wrong] }, {})).toThrow('--allowed-host')
  })

  it.each(['?q=1', '#part', '?', 'user@', 'user:secret@'])(
    'refuse an address with %s, without repeating it',
    (part) => {
      const url = part.endsWith('@')
        ? `https://${part}artifacts.example`
        : `https://artifacts.example/${part}`
      const read = (given: object) => () => readServeSettings(given, {})
      expect(read({ publicUrl: url })).toThrow(/^--public-url: has user info, a query or a fragment/)
      expect(read({ store: 'aws', s3PublicEndpoint: url })).toThrow(/--s3-public-endpoint: has user info/)
    },
  )

  it('report every missing AWS store', () => {
    const read = () => readServeSettings({ store: 'aws', blobBucket: 'b' }, { BUCKET_UPLOADS_TABLE: '' })
    for (const name of ['--staging-bucket', '--ledger-table', 'BUCKET_UPLOADS_TABLE'])
      expect(read).toThrow(name)
    expect(read).not.toThrow('--blob-bucket')
  })

  it('are refused all at once, each by the name under which it was given', () => {
    const read = () =>
      readServeSettings(
        { port: '65536', maxArtifactBytes: '-1', maxConnections: '0' },
        { BUCKET_STORE: 's3', BUCKET_PUBLIC_URL: 'ftp://x', BUCKET_DRAIN_LIMIT: 'soon' },
      )
    for (const name of [
      '--port',
      '--max-artifact-bytes',
      '--max-connections',
      'BUCKET_STORE',
      'BUCKET_PUBLIC_URL',
      'BUCKET_DRAIN_LIMIT',
    ])
      expect(read).toThrow(name)
  })
})

describe('bucket serve', () => {
  async function serve(args: string[]) {
    const given = new AbortController()
    const asked: ServeSettings[] = []
    let stopped = false
    const ran = await bucket(['serve', ...args], {
      signal: given.signal,
      startServer: async (settings) => {
        asked.push(settings)
        setImmediate(() => given.abort(new Interrupted('SIGTERM')))
        return {
          url: 'http://127.0.0.1:4711/v1',
          async stop() {
            stopped = true
          },
        }
      },
    })
    return { ran, asked, stopped }
  }

  it('accepts --allowed-host several times', async () => {
    const { asked } = await serve(['--allowed-host', 'one', '--allowed-host', 'two:80'])
    expect(asked[0]?.allowedHosts).toEqual(['one', 'two:80'])
  })

  it('prints one line with its address, stops on a signal, and exits 0', async () => {
    const { ran, stopped } = await serve([])
    expect(ran).toMatchObject({ exit: 0, stdout: 'Bucket is ready at http://127.0.0.1:4711/v1\n' })
    expect(stopped).toBe(true)
    expect(ran.stderr).not.toContain('warning')
  })

  it('warns if other machines can reach it', async () => {
    expect((await serve(['--host', '0.0.0.0'])).ran.stderr).toContain('warning: 0.0.0.0')
    expect((await serve(['--host', '127.1.2.3'])).ran.stderr).not.toContain('warning')
  })

  /** A server whose stop fails. */
  function failedStop(error: Error) {
    const given = new AbortController()
    return bucket(['serve'], {
      signal: given.signal,
      startServer: async () => {
        setImmediate(() => given.abort(new Interrupted('SIGTERM')))
        return { url: 'http://127.0.0.1:4711/v1', stop: () => Promise.reject(error) }
      },
    })
  }

  it('never calls a stop that failed a wrong use', async () => {
    const gone = Object.assign(new Error("ENOENT: no such file or directory, open 'x'"), { code: 'ENOENT' })
    expect(await failedStop(gone)).toMatchObject({ exit: 1, stderr: expect.stringContaining('"x": no such') })
  })

  it('says why it could not stop in order, with the exit code of that', async () => {
    const ran = await failedStop(
      Object.assign(new Error('the folder is gone'), { name: 'FolderDamaged', next: 'Find it.' }),
    )
    expect(ran).toMatchObject({
      exit: 5,
      stderr: expect.stringMatching(
        /error: The data folder is damaged\n {2}why: {2}the folder is gone\n {2}next: Find it/,
      ),
    })
  })

  it('says in three parts why it cannot start', async () => {
    const refuse = (error: Error) => bucket(['serve'], { startServer: () => Promise.reject(error) })
    const taken = Object.assign(new Error('listen EADDRINUSE: 127.0.0.1:9470'), { code: 'EADDRINUSE' })
    const ran = await refuse(taken)
    expect(ran.exit).toBe(1)
    expect(ran.stderr).toMatch(/^error: The server cannot start\n {2}why: {2}.*9470\n {2}next: .*--port 0/)
  })
})
