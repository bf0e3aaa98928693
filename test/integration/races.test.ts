/** The promises of docs/http-api.md, section 9, where they are hardest to keep: many functions, one S3 bucket, one table. */
import { DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb'
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import {
  expectEntry,
  freshRef,
  get,
  json,
  listPath,
  put,
  type Ref,
  sha256,
  versionPath,
} from '../contract/http/requests.ts'
import { expectProblem } from '../support/problem.ts'
import { deployedTarget } from './deployed-target.ts'
import { given } from './given.ts'

const ROUNDS = 3
const RACERS = 20
const READERS = 4
const target = deployedTarget()
const { blobBucket, ledgerTable } = given().deployment

/** Reads until the race is over, through the redirect, as a client does: not found, or the bytes of one digest permanently. */
async function readWhile(racing: () => boolean, ref: Ref): Promise<Set<string>> {
  const seen = new Set<string>()
  do {
    const response = await get(target, versionPath(ref))
    if (response.status === 404) {
      expect([...seen], 'a version that was seen is gone').toEqual([])
      continue
    }
    expect(response.status, response.body.toString('utf8')).toBe(307)
    const answer = await target.follow(response.headers.get('location') ?? '')
    expect(answer.status).toBe(200)
    expect(sha256(answer.body)).toBe(response.headers.get('x-artifact-digest'))
    seen.add(sha256(answer.body))
  } while (racing())
  return seen
}

const different = (at: number) => `bytes of racer ${at}\n`.repeat(200)
const same = () => 'the same bytes\n'.repeat(200)

test.for([
  ['different', different],
  ['identical', same],
] as const)(
  `${RACERS} writers of %s bytes: one 201, every other 409 with its entry, readers see 404 or exactly its bytes`,
  {
    timeout: 120_000,
  },
  async ([, body]) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const ref = freshRef()
      let racing = true
      const readers = Array.from({ length: READERS }, () => readWhile(() => racing, ref))
      const writers = Array.from({ length: RACERS }, (_, at) =>
        put(target, ref, body(at), [['X-Uploaded-By', `racer-${at}`]]),
      )
      const answers = await Promise.all(writers).finally(() => {
        racing = false
      })
      const seen = new Set((await Promise.all(readers)).flatMap((digests) => [...digests]))

      const winners = answers.filter((answer) => answer.status === 201)
      expect(
        winners,
        answers.map((answer) => `${answer.status} ${answer.body.toString('utf8')}`).join('\n'),
      ).toHaveLength(1)
      const winner = expectEntry(json(winners[0] ?? expect.fail('no store won')))
      answers.forEach((answer, at) => {
        if (answer.status === 201) return
        const { conflict, stored } = expectProblem(answer, 'version_exists')
        expect(stored).toEqual(winner)
        expect(conflict).toBe(sha256(body(at)) === winner.digest ? 'identical' : 'different')
      })
      expect([winner.digest, ...seen].every((digest) => digest === winner.digest)).toBe(true)
      expect(json(await get(target, listPath(ref)))).toEqual({ versions: [winner], next_cursor: null })
      await expectOneRow(ref, winner.digest)
    }
  },
)

/** Without the API: the table has one row, and S3 holds the bytes of its digest under the row's own key. */
async function expectOneRow(ref: Ref, digest: string): Promise<void> {
  const { Items } = await new DynamoDBClient({}).send(
    new QueryCommand({
      TableName: ledgerTable,
      ConsistentRead: true,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': { S: `${ref.bucketId}/${ref.artifactId}` } },
    }),
  )
  expect(Items).toHaveLength(1)
  const hex = digest.slice('sha256:'.length)
  const { Body } = await new S3Client({ forcePathStyle: true }).send(
    new GetObjectCommand({
      Bucket: blobBucket,
      Key: `blobs/${ref.bucketId}/${ref.artifactId}/${ref.version}/${hex}`,
    }),
  )
  expect(sha256((await Body?.transformToByteArray()) ?? '')).toBe(digest)
}
