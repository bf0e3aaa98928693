/** The races of docs/races.md, one test for each, under the same name. */
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { uploadState } from '../../lib/repository/upload-state.ts'
import {
  arrived,
  commits,
  committing,
  fetches,
  givesUp,
  lost,
  OTHER,
  RIGHT,
  replacesPart,
  startsOver,
  stores,
  uploads,
  WRONG_BYTES,
} from './artifacts.ts'
import { stage } from './stage.ts'
import type { Actor } from './upload-world.ts'

const told: string[] = []
const race = (name: string, test: () => Promise<void>) => {
  told.push(name)
  it(name, test)
}

const looks = (name: string): Actor => ({
  name,
  async script(client) {
    const upload = await client.again(() => uploadState(client.deps, RIGHT.id))
    client.note(upload.state === 'committed' ? `${upload.state} with its entry` : upload.state)
  },
})

describe('stores', () => {
  race('Two stores of one name with different bytes', async () => {
    const { world, upTo, toEnd, settle } = await stage({ actors: [stores('A', RIGHT), stores('B', OTHER)] })
    await upTo('A', 'ledger.append')
    await upTo('B', 'ledger.append')
    await toEnd('B')
    await toEnd('A')
    await settle()
    expect(world.notes('B')).toEqual(['created'])
    expect(world.notes('A')).toEqual(['exists with different bytes'])
  })

  race('A store dies between its bytes and its entry', async () => {
    const { world, step, upTo, settle } = await stage({ actors: [stores('A', RIGHT)] })
    await upTo('A', 'ledger.append')
    await step('A: ledger.append dies before')
    expect(world.stores.ledger.entries).toEqual([])
    await settle()
    expect(world.notes('A')).toEqual(['created'])
  })

  race('The response to a store is lost', async () => {
    const { world, step, upTo, settle } = await stage({ actors: [stores('A', RIGHT)] })
    await upTo('A', 'ledger.append')
    await step('A: ledger.append dies after')
    await settle()
    expect(world.notes('A')).toEqual(['exists with identical bytes'])
  })

  race('Unattested bytes have the final name', async () => {
    const { world, settle } = await stage({
      isDishonest: true,
      prepare: async (held) => held.blobs.plant(RIGHT.id, WRONG_BYTES),
      actors: [stores('A', RIGHT)].map(({ name, script }) => ({
        name,
        script: (client) => script({ ...client, commitId: client.commitId, again: client.once }),
      })),
    })
    await settle()
    expect(world.notes('A')).toEqual(['unavailable'])
    expect(world.stores.ledger.entries).toEqual([])
  })
})

describe('lost blobs', () => {
  const restoring = (...actors: readonly Actor[]) => stage({ isLost: true, prepare: lost(RIGHT), actors })

  race('Two stores restore one lost blob', async () => {
    const { world, upTo, toEnd, settle } = await restoring(stores('A', RIGHT), stores('B', RIGHT))
    await upTo('A', 'blobs.write')
    await upTo('B', 'blobs.write')
    await toEnd('A')
    await toEnd('B')
    await settle()
    expect(world.notes('A')).toEqual(['restored'])
    expect(world.notes('B')).toEqual(['restored'])
  })

  race('A fetch meets a restore', async () => {
    const { world, upTo, toEnd, settle } = await restoring(
      stores('A', RIGHT),
      fetches('F', RIGHT),
      fetches('G', RIGHT),
    )
    await upTo('A', 'blobs.write')
    await toEnd('F')
    await upTo('A', 'blobs.inspect')
    await toEnd('G')
    await settle()
    expect([world.notes('F'), world.notes('G')]).toEqual([['blob_lost'], ['the bytes']])
  })

  race('A restore dies after its bytes', async () => {
    const { world, step, upTo, settle } = await restoring(stores('A', RIGHT))
    await upTo('A', 'blobs.write')
    await step('A: blobs.write dies after')
    await settle()
    expect(world.notes('A')).toEqual(['exists with identical bytes'])
  })

  race('An upload restores a lost blob', async () => {
    const { world, toEnd, settle } = await restoring(uploads('A', RIGHT, 'multipart'), looks('L'))
    await toEnd('A')
    await toEnd('L')
    await settle()
    expect(world.notes('A')).toEqual(['verifying'])
    expect(world.notes('L')).toEqual(['verifying'])
    expect((await world.stores.blobs.inspect(RIGHT.id)).found).toBe(true)
  })
})

describe('begins', () => {
  race('Two begins of one upload', async () => {
    const { world, upTo, toEnd, settle } = await stage({
      actors: [uploads('A', RIGHT, 'multipart'), uploads('B', RIGHT, 'multipart')],
    })
    await upTo('A', 'uploads.write')
    await upTo('B', 'uploads.write')
    expect(world.stores.staging.attempts).toHaveLength(2)
    await upTo('B', '~ send the part')
    await upTo('A', '~ send the part')
    expect(world.stores.staging.attempts).toHaveLength(1)
    await toEnd('A')
    await settle()
    expect(world.isStored(RIGHT.id)).toBe(true)
  })

  race('A begin finds an upload unusable while another party commits it', async () => {
    const { world, upTo, toEnd, settle } = await stage({
      prepare: arrived(RIGHT, 'multipart'),
      actors: [uploads('A', RIGHT, 'multipart'), commits('B', RIGHT)],
    })
    await upTo('A', 'staging.parts')
    await upTo('B', 'queue.send')
    await upTo('A', 'uploads.write')
    await toEnd('A')
    await settle()
    expect(world.stores.uploads.rows).toMatchObject([{ state: 'committed' }])
    expect(world.isStored(RIGHT.id)).toBe(true)
  })

  race('An upload expires during a commit', async () => {
    const { world, step, upTo, toEnd, settle } = await stage({
      prepare: arrived(RIGHT, 'multipart'),
      actors: [commits('A', RIGHT)],
    })
    await upTo('A', 'uploads.write')
    await step('time passes')
    await step('expired rows are deleted')
    await toEnd('A')
    expect(world.stores.uploads.rows).toEqual([])
    await settle()
    expect(world.notes('A')).toEqual(['upload_not_found'])
  })
})

describe('commits', () => {
  race('A commit dies between the row and the queue', async () => {
    const { world, step, upTo, settle } = await stage({
      prepare: arrived(RIGHT, 'multipart'),
      actors: [commits('A', RIGHT)],
    })
    await upTo('A', 'staging.complete')
    await step('A: staging.complete dies before')
    expect(world.stores.queue.messages).toEqual([])
    await settle()
    expect(world.isStored(RIGHT.id)).toBe(true)
  })

  race('The response to the join of the parts is lost', async () => {
    const { world, step, upTo, settle } = await stage({
      prepare: arrived(RIGHT, 'multipart'),
      actors: [commits('A', RIGHT)],
    })
    await upTo('A', 'staging.complete')
    await step('A: staging.complete fails after')
    await settle()
    expect(world.isStored(RIGHT.id)).toBe(true)
  })

  race('Two commits of one upload', async () => {
    const { world, upTo, toEnd, settle } = await stage({
      prepare: arrived(RIGHT, 'multipart'),
      actors: [commits('A', RIGHT), commits('B', RIGHT)],
    })
    await upTo('A', 'staging.parts')
    await toEnd('B')
    await toEnd('A')
    expect(world.notes('A')).toEqual(['verifying'])
    await settle()
    expect(world.isStored(RIGHT.id)).toBe(true)
  })

  race('A part is replaced between the listing and the join', async () => {
    const { world, upTo, toEnd, settle } = await stage({
      prepare: arrived(RIGHT, 'multipart'),
      actors: [commits('A', RIGHT), replacesPart('P', RIGHT, WRONG_BYTES)],
    })
    await upTo('P', '~ send the part')
    await upTo('A', 'uploads.write')
    await toEnd('P')
    await toEnd('A')
    expect(world.notes('A')).toEqual(['upload_incomplete'])
    expect(world.stores.uploads.rows).toMatchObject([{ state: 'open' }])
    await settle()
  })

  race('A rival stores other bytes while a commit is repeated', async () => {
    const { world, step, upTo, toEnd, settle } = await stage({
      prepare: arrived(RIGHT, 'multipart'),
      actors: [commits('A', RIGHT), stores('R', OTHER)],
    })
    await upTo('A', 'queue.send')
    await step('A: queue.send dies before')
    await toEnd('R')
    await toEnd('A')
    expect(world.notes('A')).toEqual(['version_exists'])
    expect(world.stores.uploads.rows).toMatchObject([{ state: 'failed' }])
    expect(world.stores.staging.attempts).toEqual([])
    await settle()
  })

  race('The state is read between the entry and the row', async () => {
    const { world, upTo, toEnd, step, settle } = await stage({
      prepare: arrived(RIGHT, 'single'),
      actors: [commits('A', RIGHT), looks('L')],
    })
    await step('L: ledger.find')
    await toEnd('A')
    await upTo('L', 'ledger.find')
    await toEnd('L')
    await settle()
    expect(world.notes('L')).toEqual(['committed with its entry'])
  })
})

describe('aborts', () => {
  race('An abort meets the commit of a single upload', async () => {
    const { world, upTo, toEnd, settle } = await stage({
      prepare: arrived(RIGHT, 'single'),
      actors: [commits('A', RIGHT), givesUp('G', RIGHT)],
    })
    await upTo('A', 'uploads.write')
    await toEnd('G')
    expect(world.notes('G')).toEqual(['aborted'])
    await toEnd('A')
    await settle()
    expect(world.notes('A')).toEqual(['upload_not_found'])
    expect(world.stores.ledger.entries).toEqual([])
  })

  race('An abort meets a verifier whose lease has expired', async () => {
    const { world, step, upTo, toEnd, settle } = await stage({
      prepare: committing(RIGHT, 'multipart'),
      actors: [givesUp('G', RIGHT)],
    })
    await step('deliver 1')
    await upTo('verifier 1', 'staged.promote')
    await step('time passes')
    await toEnd('G')
    expect(world.notes('G')).toEqual(['aborted'])
    await toEnd('verifier 1')
    await settle()
    expect(world.stores.ledger.entries).toEqual([])
  })

  race('An abort meets a renewal that takes longer than the lease', async () => {
    const { world, step, upTo, toEnd, settle } = await stage({
      prepare: committing(RIGHT, 'multipart'),
      actors: [givesUp('G', RIGHT)],
    })
    await step('deliver 1')
    await upTo('verifier 1', 'promotion.publish')
    await step('verifier 1: promotion.publish')
    await step('time passes')
    await step('verifier 1: uploads.write')
    await toEnd('G')
    expect(world.notes('G')).toEqual(['aborted'])
    await toEnd('verifier 1')
    await settle()
    expect(world.stores.ledger.entries).toEqual([])
  })

  race('A late message of an aborted attempt', async () => {
    const { world, step, upTo, toEnd, settle } = await stage({
      prepare: committing(RIGHT, 'multipart'),
      actors: [startsOver('S', RIGHT, 'multipart')],
    })
    await step('time passes')
    await upTo('S', 'queue.send')
    expect(world.notes('S')).toEqual(['aborted'])
    await step('deliver 1')
    await toEnd('verifier 1')
    expect(world.stores.queue.messages).toEqual([])
    expect(world.stores.uploads.rows).toMatchObject([{ state: 'verifying', leaseOwner: null }])
    await settle()
    expect(world.isStored(RIGHT.id)).toBe(true)
  })
})

describe('verifications', () => {
  race('A message is delivered twice, and the first receiver dies', async () => {
    const { world, step, upTo, toEnd, settle } = await stage({
      prepare: committing(RIGHT, 'multipart'),
      actors: [],
    })
    await step('deliver 1')
    await upTo('verifier 1', 'staged.promote')
    await step('deliver 1 again')
    await toEnd('verifier 2')
    expect(world.stores.queue.messages).toHaveLength(1)
    await step('verifier 1: staged.promote dies after')
    await settle()
    expect(world.isStored(RIGHT.id)).toBe(true)
  })

  race('A verifier dies between the final name and the entry', async () => {
    const { world, step, upTo, settle } = await stage({ prepare: committing(RIGHT, 'multipart'), actors: [] })
    await step('deliver 1')
    await upTo('verifier 1', 'ledger.append')
    await step('verifier 1: ledger.append dies before')
    expect(world.stores.blobs.count).toBe(1)
    expect(world.stores.ledger.entries).toEqual([])
    await settle()
    expect(world.isStored(RIGHT.id)).toBe(true)
  })

  race('A verifier dies between the entry and the row', async () => {
    const { world, step, upTo, settle } = await stage({
      prepare: committing(RIGHT, 'multipart'),
      actors: [looks('L')],
    })
    await step('deliver 1')
    await upTo('verifier 1', 'ledger.append')
    await step('verifier 1: ledger.append dies after')
    await settle()
    expect(world.notes('L')).toEqual(['committed with its entry'])
    expect(world.stores.uploads.rows).toMatchObject([{ state: 'committed' }])
    expect(world.stores.staging.attempts).toEqual([])
  })

  race('A rival stores other bytes while they are verified', async () => {
    const { world, step, upTo, toEnd, settle } = await stage({
      prepare: committing(RIGHT, 'multipart'),
      actors: [stores('R', OTHER)],
    })
    await step('deliver 1')
    await upTo('verifier 1', 'ledger.append')
    await toEnd('R')
    await toEnd('verifier 1')
    expect(world.notes('R')).toEqual(['created'])
    expect(world.stores.uploads.rows).toMatchObject([
      { state: 'failed', failure: { code: 'version_exists', details: { conflict: 'different' } } },
    ])
    await settle()
  })

  race('A rival stores the same bytes while they are verified', async () => {
    const { world, step, upTo, toEnd, settle } = await stage({
      prepare: committing(RIGHT, 'multipart'),
      actors: [stores('R', RIGHT)],
    })
    await step('deliver 1')
    await upTo('verifier 1', 'promotion.publish')
    await toEnd('R')
    await toEnd('verifier 1')
    await settle()
    expect(world.notes('R')).toEqual(['created'])
    expect(world.stores.uploads.rows).toMatchObject([{ state: 'committed' }])
    expect(world.stores.staging.promotions).toBe(0)
  })

  race('A dead letter is handled while a verifier holds the lease', async () => {
    const { world, step, upTo, toEnd, settle } = await stage({
      prepare: committing(RIGHT, 'multipart'),
      actors: [commits('A', RIGHT)],
    })
    await toEnd('A')
    for (const [at, number] of [1, 2, 3, 4].entries()) {
      await step(at === 0 ? 'deliver 1' : 'deliver 1 again')
      await step(`verifier ${number}: uploads.find fails before`)
    }
    await step('time passes')
    await step('time passes')
    await step('deliver 2')
    await upTo('verifier 5', 'staged.promote')
    await step('bury 1')
    await toEnd('undertaker 6')
    expect(world.stores.uploads.rows).toMatchObject([{ state: 'verifying' }])
    await toEnd('verifier 5')
    await settle()
    expect(world.isStored(RIGHT.id)).toBe(true)
  })

  race('The parts are right and the whole is wrong', async () => {
    const { world, settle } = await stage({
      isDishonest: true,
      actors: [uploads('A', RIGHT, 'multipart', WRONG_BYTES)],
    })
    await settle()
    expect(world.stores.ledger.entries).toEqual([])
    expect(world.stores.blobs.count).toBe(0)
    const [row] = world.stores.uploads.rows
    expect(row).toMatchObject({ state: 'failed', failure: { code: 'digest_mismatch' } })
  })
})

it('docs/races.md and this file list the same races', async () => {
  const text = await readFile(new URL('../../docs/races.md', import.meta.url), 'utf8')
  const headings = [...text.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading)
  expect(told).toEqual(headings)
})
