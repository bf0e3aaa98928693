/** A ledger whose process is killed at any step of appending, sealing, or building its index keeps every acknowledged entry. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type KilledProgram, killedProgram, STRIDE } from '../../../support/killed-program.ts'
import { artifact, LogUnderTest, storeAll } from './log-under-test.ts'

let program: KilledProgram
beforeAll(async () => {
  // Notes each acknowledged version with one synchronous write, which is not counted as a step of the ledger.
  program = await killedProgram(`
    import { LogUnderTest, artifact, storeAll } from './test/unit/local/ledger/log-under-test.ts'
    import { appendFileSync } from 'node:fs'
    const [dataDir, from, to] = process.argv.slice(2)
    async function run() {
      const opened = await new LogUnderTest(dataDir).open({ segmentBytes: 600, reservedBytes: 250 })
      for (let at = Number(from); at < Number(to); at += 1) {
        await storeAll(opened, [artifact('v' + at)])
        appendFileSync(dataDir + '/acknowledged', at + '\\n')
      }
      await opened.close()
    }
    run().catch((error) => { console.error(error); process.exit(1) })`)
}, 60_000)
afterAll(() => program.remove())

let log: LogUnderTest
beforeEach(async () => {
  log = await new LogUnderTest().create()
})
afterEach(() => log.remove())

const acknowledged = () => {
  try {
    return readFileSync(join(log.dataDir, 'acknowledged'), 'latin1').trim().split('\n').map(Number)
  } catch {
    return []
  }
}

describe('a server that is killed', () => {
  it('at any step of appends, sealing and stopping has every acknowledged entry, and no damage', {
    timeout: 300_000,
  }, async () => {
    let steps = 0
    for (let step = 1, isKilled = true; isKilled; step += STRIDE) {
      log.remove()
      log = await new LogUnderTest().create()
      isKilled = program.runUntil(step, log.dataDir, '0', '5')
      const opened = await log.open({ segmentBytes: 600 })
      expect(opened.report.damage).toEqual([])
      const known = acknowledged()
      expect(opened.report.entries - known.length, `step ${step}`).toBeOneOf([0, 1])
      for (const at of known) {
        const { entry, bytes } = artifact(`v${at}`)
        expect(await opened.ledger.find(entry.ref)).toEqual(entry)
        expect(opened.ledger.storedBlob(entry)).toEqual(Buffer.from(bytes))
      }
      // The ledger works from this state.
      await storeAll(opened, [artifact('next')])
      await opened.close()
      steps = step
    }
    // Opening, appends, one seal at least, and the proof.
    expect(steps).toBeGreaterThan(25)
  })

  it('at any step of building the index loses nothing', { timeout: 300_000 }, async () => {
    const many = Array.from({ length: 12 }, (_, at) => artifact(`v${at}`))
    const opened = await log.open({ segmentBytes: 600 })
    for (const each of many) await storeAll(opened, [each])
    await opened.close()
    for (let step = 1, isKilled = true; isKilled; step += STRIDE) {
      log.forgetIndex()
      isKilled = program.runUntil(step, log.dataDir, '0', '0')
      const again = await log.open({ segmentBytes: 600 })
      expect(again.report).toMatchObject({ damage: [], tornBytes: 0, entries: 12 })
      for (const { entry } of many) expect(await again.ledger.find(entry.ref)).toEqual(entry)
      await again.close()
    }
  })
})
