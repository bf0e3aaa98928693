/**
 * The promises of every ledger, as one suite that each implementation passes (lib/repository/ports.ts). It begins with honesty
 * probes: a ledger that lets a second append win, or two at once, fails before any other test counts.
 */
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import type { Entry } from '../../lib/domain/entry.ts'
import { type ArtifactKey, parseVersion, type Version } from '../../lib/domain/identifiers.ts'
import { MAX_PAGE_LIMIT } from '../../lib/domain/limits.ts'
import { parseArtifactKey, parseRef } from '../../lib/domain/refs.ts'
import type { Ledger } from '../../lib/repository/ports.ts'
import { entryOf, someBytes } from '../support/fake-artifacts.ts'

export interface LedgerUnderTest {
  readonly ledger: Ledger
  /** The same ledger through a new process, or the implementation's closest equivalent. */
  reopen(): Promise<Ledger>
  close(): Promise<void>
}

/** The promises that an implementation, or an emulator of it, cannot show. */
export type LedgerProbe = 'reopen'

export interface LedgerSuiteOptions {
  /** Why a probe cannot be made here. Its tests are then counted skips with this reason. */
  readonly cannotWitness?: Readonly<Partial<Record<LedgerProbe, string>>>
}

/** @param makeLedger is called once and returns an empty ledger. */
export function describeLedger(
  name: string,
  makeLedger: () => Promise<LedgerUnderTest>,
  { cannotWitness = {} }: LedgerSuiteOptions = {},
): void {
  describe(`ledger: ${name}`, () => {
    let under: LedgerUnderTest
    let ledger: Ledger
    let count = 0

    beforeAll(async () => {
      under = await makeLedger()
      ledger = under.ledger
    })
    afterAll(() => under?.close())

    const needs = (context: TestContext, probe: LedgerProbe) =>
      context.skip(cannotWitness[probe] !== undefined, cannotWitness[probe])
    const freshName = () => `contract/artifact/v${count++}-${process.pid}`
    const commitId = () => `commit-${count++}`
    const append = (entry: Entry, id = commitId()) => ledger.append(entry, id)
    const appendAll = (names: readonly string[]) =>
      Promise.all(names.map((text) => append(entryOf(text, someBytes(1)))))

    describe('honesty probes', () => {
      it('lets the first append win, and gives the second the stored entry', async () => {
        const text = freshName()
        const [first, second] = [entryOf(text, someBytes(1, 1)), entryOf(text, someBytes(2, 2))]
        expect(await append(first)).toEqual({ appended: true, entry: first })
        expect(await append(second)).toEqual({ appended: false, entry: first })
        expect(await ledger.find(first.ref)).toEqual(first)
      })

      it('lets exactly one of twenty concurrent appends win, and gives the others its entry', async () => {
        const text = freshName()
        const entries = Array.from({ length: 20 }, (_, index) => entryOf(text, someBytes(index + 1)))
        const results = await Promise.all(entries.map((entry) => append(entry)))
        const winners = results.filter(({ appended }) => appended)
        expect(winners).toHaveLength(1)
        for (const { entry } of results) expect(entry).toEqual(winners[0]?.entry)
        expect(await ledger.find(parseRef(text))).toEqual(winners[0]?.entry)
      })

      it('treats a repeated commit as the same append, and returns the stored entry', async () => {
        const entry = entryOf(freshName(), someBytes(1))
        const id = commitId()
        expect(await append(entry, id)).toEqual({ appended: true, entry })
        const again = { ...entry, createdAt: '2027-01-01T00:00:00.000Z' }
        expect(await append(again, id)).toEqual({ appended: true, entry })
      })

      it('does not treat a commit id under another reference as the same append', async () => {
        const [taken, other] = [entryOf(freshName(), someBytes(1)), entryOf(freshName(), someBytes(2))]
        const id = commitId()
        await append(taken)
        await append(other, id)
        expect(await append({ ...other, ref: taken.ref }, id)).toEqual({ appended: false, entry: taken })
      })

      it('reports an entry that was never appended as missing', async () => {
        expect(await ledger.find(parseRef(freshName()))).toBeUndefined()
      })
    })

    describe('entries', () => {
      it('are returned with every member unchanged', async () => {
        const plain = entryOf(freshName(), someBytes(0))
        const full = entryOf(freshName(), someBytes(1), {
          size: Number.MAX_SAFE_INTEGER,
          contentType: `text/plain; a="${'q'.repeat(230)}"`,
          uploadedBy: `\\"'{}$%~ ${'u'.repeat(240)}`,
          provenanceSource: '#'.repeat(1024),
        })
        for (const entry of [plain, full]) {
          await append(entry)
          expect(await ledger.find(entry.ref)).toEqual(entry)
        }
      })

      it('are distinguished by every byte of their reference', async () => {
        const long = 'x'.repeat(128)
        const names = [
          'n/Model/v',
          'n/model/v',
          'N/model/v',
          'n/model/V',
          'n/a:b/v',
          'n/a.b/v',
          'n/a+b/v',
          'n/ab/c',
          'n/a/bc',
          'na/b/c',
          `n/a/${long}`,
          `n/a/${long.slice(1)}`,
          `n/a/${long.slice(1)}X`,
          `${long}/${long}/${long}`,
        ]
        const entries = names.map((text, index) => entryOf(text, someBytes(index)))
        for (const entry of entries) expect((await append(entry)).appended).toBe(true)
        for (const entry of entries) expect(await ledger.find(entry.ref)).toEqual(entry)
      })

      it('all win concurrently if their versions differ', async () => {
        const results = await appendAll(Array.from({ length: 40 }, (_, index) => `crowd/a/v${index}`))
        expect(results.every(({ appended }) => appended)).toBe(true)
      })

      it('survive a reopening of the ledger', async (context) => {
        needs(context, 'reopen')
        const entry = entryOf(freshName(), someBytes(5))
        await append(entry)
        ledger = await under.reopen()
        expect(await ledger.find(entry.ref)).toEqual(entry)
        expect(await append(entryOf(`contract/artifact/${entry.ref.version}`, someBytes(6)))).toEqual({
          appended: false,
          entry,
        })
      })
    })

    describe('lists', () => {
      /** Follows the pages to their end, checking the size of each. */
      async function pages(artifact: ArtifactKey, limit: number): Promise<string[]> {
        const versions: string[] = []
        let after: Version | undefined
        for (;;) {
          const page = await ledger.list(artifact, after, limit)
          expect(page.entries.length).toBeLessThanOrEqual(limit)
          versions.push(...page.entries.map(({ ref }) => ref.version))
          if (page.next === null) return versions
          if (after !== undefined) expect(page.next > after).toBe(true)
          after = page.next
        }
      }
      const version = (text: string): Version => {
        const parsed = parseVersion(text)
        if (!parsed.ok) throw new Error(parsed.error)
        return parsed.value
      }
      // In byte order, which differs from dictionary, numeric and length order here.
      const ordered = [
        '0',
        '1',
        '1+b',
        '1-a',
        '1.0',
        '10',
        '1:a',
        '1_a',
        '2',
        'A',
        'B',
        'Z',
        'a',
        'aA',
        'aa',
        'b',
        'v1',
        'v10',
        'v2',
        'z',
      ]

      it('have the byte order of the versions', async () => {
        await appendAll([...ordered].reverse().map((text) => `list/order/${text}`))
        const { entries, next } = await ledger.list(parseArtifactKey('list/order'), undefined, 100)
        expect(entries.map(({ ref }) => ref.version)).toEqual(ordered)
        expect(next).toBeNull()
        expect(
          [...ordered].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other))),
        ).toEqual(ordered)
      })

      it.each([1, 2, 3, 7, ordered.length - 1, ordered.length, ordered.length + 1])(
        'show every version once in pages of %d',
        async (limit) => {
          await appendAll(ordered.map((text) => `list/pages-${limit}/${text}`))
          expect(await pages(parseArtifactKey(`list/pages-${limit}`), limit)).toEqual(ordered)
        },
      )

      it('continue after a version, even one that is not stored', async () => {
        await appendAll(['b', 'd', 'f'].map((text) => `list/after/${text}`))
        const versionsAfter = async (text: string) =>
          (await ledger.list(parseArtifactKey('list/after'), version(text), 10)).entries.map(
            ({ ref }) => ref.version,
          )
        expect(await versionsAfter('b')).toEqual(['d', 'f'])
        expect(await versionsAfter('c')).toEqual(['d', 'f'])
        expect(await versionsAfter('f')).toEqual([])
        expect(await versionsAfter('A')).toEqual(['b', 'd', 'f'])
        expect(await versionsAfter('b'.repeat(128))).toEqual(['d', 'f'])
      })

      it('contain complete entries', async () => {
        const entry = entryOf('list/whole/v', someBytes(3), { uploadedBy: 'ci', provenanceSource: 'run-47' })
        await append(entry)
        expect(await ledger.list(parseArtifactKey('list/whole'), undefined, 10)).toEqual({
          entries: [entry],
          next: null,
        })
      })

      it('never include entries of another artifact', async () => {
        const artifacts = [
          'near/a',
          'near/ab',
          'near/a.',
          'near/a-',
          'near/a0',
          'near/a:',
          'near/A',
          'nea/ra',
          'near0/a',
          'near./a',
        ]
        await appendAll(artifacts.map((text, index) => `${text}/v${index}`))
        for (const [index, text] of artifacts.entries())
          expect(await pages(parseArtifactKey(text), 5), text).toEqual([`v${index}`])
      })

      it('are empty for an artifact without versions', async () => {
        expect(await pages(parseArtifactKey('list/nothing'), 5)).toEqual([])
      })

      it(`fill a page of ${MAX_PAGE_LIMIT}`, async () => {
        const versions = Array.from(
          { length: MAX_PAGE_LIMIT + 5 },
          (_, index) => `v${String(index).padStart(5, '0')}`,
        )
        for (let at = 0; at < versions.length; at += 100)
          await appendAll(versions.slice(at, at + 100).map((text) => `list/large/${text}`))
        expect(await pages(parseArtifactKey('list/large'), MAX_PAGE_LIMIT)).toEqual(versions)
      })
    })

    it('passes its health check', async () => {
      await expect(ledger.check()).resolves.toBeUndefined()
    })
  })
}
