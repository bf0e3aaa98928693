/**
 * The restore of a ledger as in the runbook (docs/operations.md, Restoring the ledger): the rows of stores after the restore time are
 * appended again before writers are let in, so that other bytes cannot take a committed version.
 */
import {
  DynamoDBClient,
  RestoreTableToPointInTimeCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb'
import { afterAll, expect, test } from 'vitest'
import { fetchBytes, freshRef, get, json, put, stored, versionPath } from '../contract/http/requests.ts'
import { audit } from './audit-command.ts'
import { deployedTarget } from './deployed-target.ts'
import { deploy } from './deployment.ts'
import { PROJECT } from './emulator.ts'
import { given } from './given.ts'
import { stopEverything } from './processes.ts'

afterAll(stopEverything)

test('a restored ledger has the rows of later stores again before writers are let in', {
  timeout: 600_000,
}, async (context) => {
  const { emulator, work, deployment } = given()
  if (emulator === 'localstack') context.skip('restore: LocalStack cannot update what this changes')
  const target = deployedTarget()
  const dynamo = new DynamoDBClient({})
  const restored = `${deployment.ledgerTable}-restored`
  const options = { project: PROJECT, work, env: process.env }

  // 1. Restore. The emulator knows no earlier times, so the later store comes after this call.
  const early = await stored(target, 'stored before the restore time')
  await dynamo.send(
    new RestoreTableToPointInTimeCommand({
      SourceTableName: deployment.ledgerTable,
      TargetTableName: restored,
      UseLatestRestorableTime: true,
    }),
  )
  await waitUntilTableExists({ client: dynamo, maxWaitTime: 30 }, { TableName: restored })
  const late = { ref: freshRef(), body: 'stored after the restore time' }
  const described = [
    ['Content-Type', 'text/x-late'],
    ['X-Uploaded-By', 'ci "nightly"'],
  ] as const
  const response = await put(target, late.ref, late.body, described)
  expect(response.status).toBe(201)
  const entry = json(response) as object

  // 2. Point the stack at the restored table, with writers stopped.
  const settings = [`ledgerTableName=${restored}`, 'readOnly=true']
  expect(await deploy({ ...options, settings })).toMatchObject({ ledgerTable: restored })
  expect((await fetchBytes(target, versionPath(early.ref))).toString()).toBe('stored before the restore time')
  expect((await get(target, versionPath(late.ref))).status).toBe(404)

  // 3. Append the missing rows. Blobs of other suites may be ambiguous, so the exit status says nothing about this one.
  const repair = [
    '--repair-ledger',
    '--write',
    ...['--blob-bucket', deployment.blobBucket, '--ledger-table', restored],
  ]
  const { lines } = await audit(...repair)
  const { bucketId, artifactId, version } = late.ref
  expect(lines).toContainEqual(
    expect.objectContaining({
      repair: 'append',
      key: expect.stringContaining(`blobs/${bucketId}/${artifactId}/${version}/`),
    }),
  )

  // 4. Let writers in.
  await deploy({ ...options, settings: [`ledgerTableName=${restored}`] })
  expect((await fetchBytes(target, versionPath(late.ref))).toString()).toBe(late.body)
  expect(json(await get(target, `${versionPath(late.ref)}/entry`))).toEqual({
    ...entry,
    created_at: expect.any(String),
  })
  expect(json(await put(target, late.ref, 'other bytes'))).toMatchObject({
    code: 'version_exists',
    conflict: 'different',
  })
  expect(json(await get(target, `${versionPath(early.ref)}/entry`))).toEqual(early.entry)
})
