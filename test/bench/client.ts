/**
 * What a user waits for a large artifact: `bucket put` and `bucket get`, which verify, next to `curl` with a separate `sha256sum`. All of
 * them work on the same server, in turn. The file to send is in the page cache.
 */
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type MeasuredServer, startBucketServer } from './server-process.ts'

const MIB = 1024 * 1024
const ROUNDS = 3
const BUCKET = resolve('dist/bin/bucket.js')

interface Cost {
  readonly seconds: number
  /** Processor seconds: of the commands, and of the server for them. */
  readonly client: number
  readonly server: number
}

/** A way to do it, as a Bash script. */
interface Way {
  readonly name: string
  readonly script: string
}

/** @param mebibytes of the artifact. */
export async function clients(folder: string, mebibytes: number): Promise<void> {
  const file = join(folder, 'file')
  const copy = join(folder, 'copy')
  const sha256 = writeFile(file, mebibytes)
  const server = await startBucketServer(join(folder, 'data'), '--max-artifact-bytes', '2GiB')
  const url = (name: string) => `${server.origin}/v1/buckets/bench/artifacts/clients/versions/${name}`
  const bucket = `"${process.execPath}" "${BUCKET}"`
  const target = `--url ${server.origin}/v1`
  const curlPut = (name: string) =>
    `digest=$(sha256sum "${file}"); curl -sf -T "${file}" -H "X-Artifact-Digest: sha256:\${digest%% *}" "${url(name)}"`
  const curlGet = (name: string) =>
    `curl -sf -o "${copy}" "${url(name)}"; echo "${sha256}  ${copy}" | sha256sum --check --quiet`
  console.log(
    `| 1 client, ${mebibytes} MiB | bucket s | curl and sha256sum s | ratio | bucket: processor s of client, server | curl and sha256sum |`,
  )
  console.log('|---|---|---|---|---|---|')
  try {
    const compareWays = (what: string, ways: (round: number) => readonly [Way, Way]) =>
      compare(what, server, () => rmSync(copy, { force: true }), ways)
    compareWays('put', (round) => {
      const name = `put-${round}`
      return [
        { name: 'bucket', script: `${bucket} put ${target} bench/clients/${name} "${file}"` },
        { name: 'curl', script: curlPut(`curl-${round}`) },
      ]
    })
    compareWays('get', (round) => {
      return [
        {
          name: 'bucket',
          script: `${bucket} get ${target} bench/clients/put-${round} -o "${copy}"`,
        },
        { name: 'curl', script: curlGet(`put-${round}`) },
      ]
    })
  } finally {
    await server.stop()
  }
  console.log('')
}

/** @param prepare is called before each way, and not measured. */
function compare(
  what: string,
  server: MeasuredServer,
  prepare: () => void,
  ways: (round: number) => readonly [Way, Way],
): void {
  const costs: [Cost[], Cost[]] = [[], []]
  for (let round = 0; round < ROUNDS; round += 1)
    for (const [at, way] of ways(round).entries()) {
      prepare()
      costs[at]?.push(costOf(way, server))
    }
  const [ours, theirs] = costs.map((all) => all.toSorted((a, b) => a.seconds - b.seconds)[ROUNDS >> 1])
  if (!ours || !theirs) return
  const used = ({ client, server }: Cost) => `${client.toFixed(2)}, ${server.toFixed(2)}`
  const columns = [
    ...[what, ours.seconds.toFixed(2), theirs.seconds.toFixed(2)],
    ...[(theirs.seconds / ours.seconds).toFixed(2), used(ours), used(theirs)],
  ]
  console.log(`| ${columns.join(' | ')} |`)
}

function costOf({ name, script }: Way, server: MeasuredServer): Cost {
  const before = server.cpuSeconds()
  const timed = `TIMEFORMAT="%R %U %S"; time { ${script}; } > /dev/null 2>&1`
  const { stderr, status } = spawnSync('bash', ['-ec', timed], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${name} failed: ${script}\n${stderr}`)
  const [seconds = Number.NaN, user = 0, system = 0] = (stderr.trim().split('\n').at(-1) ?? '')
    .split(' ')
    .map(Number)
  return { seconds, client: user + system, server: server.cpuSeconds() - before }
}

/** @returns the SHA-256 of the file in hex. */
function writeFile(path: string, mebibytes: number): string {
  const hash = createHash('sha256')
  const fd = openSync(path, 'w')
  for (let at = 0; at < mebibytes; at += 1) {
    const block = randomBytes(MIB)
    hash.update(block)
    writeSync(fd, block)
  }
  closeSync(fd)
  return hash.digest('hex')
}
