/**
 * The promises of every staging area, as one suite that each implementation passes (lib/repository/upload-ports.ts). It begins
 * with honesty probes: an area that accepts wrong parts, or parts after the join, or gives unpublished bytes a final name,
 * fails before any other test counts. Artifacts have two parts, of 16 MiB and of a few bytes, the smallest possible.
 */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { type Digest, digestHex } from '../../lib/domain/digest.ts'
import { MIB, partCount, sizeOfPart } from '../../lib/domain/limits.ts'
import { parseRef } from '../../lib/domain/refs.ts'
import type { PresignedRequest } from '../../lib/domain/upload.ts'
import type { BlobStore } from '../../lib/repository/ports.ts'
import type { StagedBytes, StagedUpload, Staging } from '../../lib/repository/upload-ports.ts'
import { described } from '../support/described.ts'
import { collect, digestOf, inChunks, someBytes } from '../support/fake-artifacts.ts'

export interface StagingUnderTest {
  readonly staging: Staging
  /** Where it promotes to. */
  readonly blobs: BlobStore
  /** Sends a presigned request verbatim with these bytes. @returns the status of the answer. */
  send(request: PresignedRequest, bytes: Uint8Array): Promise<number>
  /** Advances the clock against which the area checks signatures. */
  passTime(milliseconds: number): Promise<void>
  close(): Promise<void>
}

/** The promises that an implementation, or an emulator of it, cannot show. */
export type StagingProbe =
  | 'wrong bytes'
  | 'wrong length'
  | 'expiry'
  | 'replaced parts'
  | 'simultaneous joinings'

export interface StagingSuiteOptions {
  /** Why a probe cannot be made here. Its tests are then counted skips with this reason. */
  readonly cannotWitness?: Readonly<Partial<Record<StagingProbe, string>>>
  /** Milliseconds that one test may take. */
  readonly timeout?: number
}

const SIZE = 16 * MIB + 5
const PARTS = [1, 2] as const

/** The artifacts of the suite and their parts. Each is hashed once, because that takes longer than the rest of a test. */
const given = new WeakMap<Uint8Array, Digest>()
function digestOfGiven(bytes: Uint8Array): Digest {
  const digest = given.get(bytes) ?? digestOf(bytes)
  given.set(bytes, digest)
  return digest
}
function inParts(bytes: Uint8Array): readonly Uint8Array[] {
  const first = sizeOfPart(SIZE, 1)
  return [bytes.subarray(0, first), bytes.subarray(first)]
}

/** @param makeStaging is called once and returns an empty area. */
export function describeStaging(
  name: string,
  makeStaging: () => Promise<StagingUnderTest>,
  { cannotWitness = {}, timeout = 60_000 }: StagingSuiteOptions = {},
): void {
  describe(`staging: ${name}`, { timeout }, () => {
    let under: StagingUnderTest
    let staging: Staging
    let blobs: BlobStore
    let count = 0
    const whole = someBytes(SIZE)
    const other = someBytes(SIZE, 2)

    beforeAll(async () => {
      under = await makeStaging()
      staging = under.staging
      blobs = under.blobs
    }, timeout)
    afterAll(() => under?.close())

    const needs = (context: TestContext, probe: StagingProbe) =>
      context.skip(cannotWitness[probe] !== undefined, cannotWitness[probe])

    const begun = async (bytes = whole): Promise<StagedUpload> => {
      const ref = parseRef(`contract/artifact:1/v+${count++}-${process.pid}`)
      return anotherAttempt({ ref, digest: digestOfGiven(bytes) }, bytes.byteLength)
    }
    const anotherAttempt = async (id: StagedUpload['id'], size: number): Promise<StagedUpload> => {
      const attempt = randomUUID()
      return { id, attempt, size, stagingId: await staging.begin(id, attempt, size) }
    }

    const parts = new Map([whole, other].map((bytes) => [bytes, inParts(bytes)]))
    const partOf = (bytes: Uint8Array, number: number) =>
      parts.get(bytes)?.[number - 1] ?? expect.fail(`no part ${number}`)
    const sha256 = (bytes: Uint8Array) => digestHex(digestOfGiven(bytes))
    const received = (bytes: Uint8Array, number: number) => {
      const part = partOf(bytes, number)
      return { number, size: part.byteLength, sha256: sha256(part) }
    }
    const presign = (upload: StagedUpload, bytes: Uint8Array, number: number, seconds = 600) => {
      const part = partOf(bytes, number)
      return staging.presignPart(upload, number, part.byteLength, sha256(part), seconds)
    }
    const sendPart = async (upload: StagedUpload, bytes: Uint8Array, number: number) =>
      under.send(await presign(upload, bytes, number), partOf(bytes, number))
    const sent = async (upload: StagedUpload, bytes = whole, numbers: readonly number[] = PARTS) => {
      for (const number of numbers) expect(await sendPart(upload, bytes, number)).toBe(200)
      return upload
    }
    const all = (bytes = whole) => PARTS.map((number) => received(bytes, number))
    const joined = async (bytes = whole) => {
      const upload = await sent(await begun(bytes), bytes)
      expect(await staging.complete(upload, all(bytes))).toBe('complete')
      return upload
    }
    const opened = async (upload: StagedUpload): Promise<StagedBytes> => {
      const bytes = await staging.open(upload)
      if (!bytes) throw new Error('the joined bytes are not there')
      return bytes
    }
    const digestOfStaged = async (upload: StagedUpload) =>
      digestOf(await collect((await opened(upload)).read(undefined)))
    const refused = (status: number) => expect([400, 403, 404, 409, 412]).toContain(status)

    describe('honesty probes', () => {
      it('refuses bytes that differ from those of the request', async (context) => {
        needs(context, 'wrong bytes')
        const upload = await begun()
        refused(await under.send(await presign(upload, whole, 2), partOf(other, 2)))
        expect(await staging.parts(upload)).toEqual([])
      })

      it('refuses more and fewer bytes than the request states', async (context) => {
        needs(context, 'wrong length')
        const upload = await begun()
        const part = partOf(whole, 2)
        for (const bytes of [part.subarray(1), new Uint8Array([...part, 0])]) {
          const status = await under.send(await presign(upload, whole, 2), bytes).catch(() => 'cut off')
          expect(status).not.toBe(200)
        }
        expect(await staging.parts(upload)).toEqual([])
      })

      it('accepts no part after completion', async () => {
        const upload = await sent(await begun())
        const late = await presign(upload, other, 2)
        expect(await staging.complete(upload, all())).toBe('complete')
        refused(await under.send(late, partOf(other, 2)))
        expect(await digestOfStaged(upload)).toBe(digestOfGiven(whole))
      })

      it('gives nothing the final name before publishing', async () => {
        const upload = await joined()
        const promotion = await (await opened(upload)).promote(upload.id, described())
        expect(await blobs.inspect(upload.id)).toEqual({ found: false })
        await promotion.abandon()
        expect(await blobs.inspect(upload.id)).toEqual({ found: false })
      })
    })

    describe('parts', () => {
      it('are absent at first', async () => {
        expect(partCount(SIZE)).toBe(PARTS.length)
        expect(await staging.parts(await begun())).toEqual([])
      })

      it('are listed by number, with size and SHA-256, in any order of arrival', async () => {
        const upload = await begun()
        await sent(upload, whole, [2])
        expect(await staging.parts(upload)).toEqual([received(whole, 2)])
        await sent(upload, whole, [1])
        expect(await staging.parts(upload)).toEqual(all())
      })

      it('can be replaced by the same or other bytes', async (context) => {
        needs(context, 'replaced parts')
        const upload = await begun()
        await sent(upload, whole, [2, 2])
        await sent(upload, other, [2])
        expect(await staging.parts(upload)).toEqual([received(other, 2)])
      })

      it('belong to one attempt only', async () => {
        const upload = await sent(await begun(), whole, [2])
        const again = await anotherAttempt(upload.id, SIZE)
        expect(await staging.parts(again)).toEqual([])
        await staging.drop(again)
        expect(await staging.parts(upload)).toEqual([received(whole, 2)])
      })

      it('cannot be sent with a request that has expired', async (context) => {
        needs(context, 'expiry')
        const upload = await begun()
        const request = await presign(upload, whole, 2, 1)
        await under.passTime(2_000)
        expect(await under.send(request, partOf(whole, 2))).toBe(403)
        expect(await staging.parts(upload)).toEqual([])
        await sent(upload, whole, [2])
      })

      it('are gone once they are completed or dropped', async () => {
        expect(await staging.parts(await joined())).toBeUndefined()
        const upload = await sent(await begun(), whole, [2])
        await staging.drop(upload)
        expect(await staging.parts(upload)).toBeUndefined()
      })
    })

    describe('completing', () => {
      it('puts the parts in order, in any order of arrival', async () => {
        const upload = await begun()
        await sent(upload, whole, [2, 1])
        expect(await staging.complete(upload, all())).toBe('complete')
        expect((await opened(upload)).size).toBe(SIZE)
        expect(await digestOfStaged(upload)).toBe(digestOfGiven(whole))
      })

      it('succeeds again with the same result', async () => {
        const upload = await joined()
        expect(await staging.complete(upload, all())).toBe('complete')
        expect(await digestOfStaged(upload)).toBe(digestOfGiven(whole))
      })

      it('succeeds when two callers complete at once', async (context) => {
        needs(context, 'simultaneous joinings')
        const upload = await sent(await begun())
        const results = await Promise.allSettled([
          staging.complete(upload, all()),
          staging.complete(upload, all()),
        ])
        // A store may report one of the two outcomes as unknown, but never as incomplete.
        for (const result of results) if (result.status === 'fulfilled') expect(result.value).toBe('complete')
        expect(await staging.complete(upload, all())).toBe('complete')
        expect(await digestOfStaged(upload)).toBe(digestOfGiven(whole))
      })

      it('is refused for parts that were replaced meanwhile, and loses none', async (context) => {
        needs(context, 'replaced parts')
        const upload = await sent(await begun())
        const listed = await staging.parts(upload)
        await sent(upload, other, [2])
        expect(await staging.complete(upload, listed ?? [])).toBe('incomplete')
        expect(await staging.open(upload)).toBeUndefined()
        expect(await staging.parts(upload)).toEqual([received(whole, 1), received(other, 2)])
        await sent(upload, whole, [2])
        expect(await staging.complete(upload, all())).toBe('complete')
      })

      it('is refused for parts that never arrived', async () => {
        const upload = await sent(await begun(), whole, [1])
        expect(await staging.complete(upload, all())).toBe('incomplete')
        expect(await staging.parts(upload)).toEqual([received(whole, 1)])
      })

      it('is refused for dropped parts', async () => {
        const upload = await sent(await begun())
        await staging.drop(upload)
        expect(await staging.complete(upload, all())).toBe('incomplete')
        expect(await staging.open(upload)).toBeUndefined()
      })
    })

    describe('completed bytes', () => {
      it('do not exist before completion', async () => {
        expect(await staging.open(await sent(await begun()))).toBeUndefined()
      })

      it('can be read by two at once', async () => {
        const bytes = await opened(await joined())
        const [one, two] = await Promise.all([collect(bytes.read(undefined)), collect(bytes.read(undefined))])
        expect([digestOf(one), digestOf(two)]).toEqual([digestOfGiven(whole), digestOfGiven(whole)])
      })

      it('are read no further once the signal aborts', async () => {
        const bytes = await opened(await joined())
        const stopped = AbortSignal.abort(new Error('stop'))
        await expect(collect(bytes.read(stopped))).rejects.toThrow()
      })

      it('are exact, or an error, if they are dropped while being read', async () => {
        const upload = await joined()
        const bytes = await opened(upload)
        await staging.drop(upload)
        const digest = await collect(bytes.read(undefined)).then(digestOf, () => 'an error')
        expect([digestOfGiven(whole), 'an error']).toContain(digest)
        expect(await staging.open(upload)).toBeUndefined()
      })
    })

    describe('a promotion', () => {
      const promoted = async (upload: StagedUpload) => (await opened(upload)).promote(upload.id, described())
      const stored = async (upload: StagedUpload) =>
        digestOf(await collect(await blobs.read(upload.id, undefined, undefined)))

      it('gives the bytes their final name when published, with an attestation', async () => {
        const upload = await joined()
        const promotion = await promoted(upload)
        expect(digestHex(await digestOfStaged(upload))).toBe(digestHex(upload.id.digest))
        expect(await promotion.publish()).toBe('written')
        expect(await blobs.inspect(upload.id)).toEqual({ found: true, size: SIZE, attested: true })
        expect(await stored(upload)).toBe(upload.id.digest)
      })

      it('leaves an existing blob, or replaces it with the same bytes', async () => {
        const upload = await joined()
        const options = {
          size: SIZE,
          description: described({ contentType: 'text/plain' }),
          signal: undefined,
        }
        expect(await blobs.write(upload.id, inChunks(whole, MIB), options)).toBe('written')
        expect(['written', 'exists']).toContain(await (await promoted(upload)).publish())
        expect(await stored(upload)).toBe(upload.id.digest)
      })

      it('that is abandoned does not affect another promotion of the same bytes', async () => {
        const upload = await joined()
        const [one, two] = [await promoted(upload), await promoted(upload)]
        await one.abandon()
        expect(await two.publish()).toBe('written')
        expect(await stored(upload)).toBe(upload.id.digest)
      })

      it('that is published twice is one blob', async () => {
        const upload = await joined()
        const [one, two] = [await promoted(upload), await promoted(upload)]
        expect(await one.publish()).toBe('written')
        // The first may have moved the bytes. Then the second fails, and the blob exists all the same.
        await two.publish().catch(() => two.abandon())
        expect(await stored(upload)).toBe(upload.id.digest)
      })

      it('that is abandoned after publishing leaves the blob', async () => {
        const upload = await joined()
        const promotion = await promoted(upload)
        await promotion.publish()
        await promotion.abandon()
        expect(await stored(upload)).toBe(upload.id.digest)
      })

      it('that is published does not depend on the staged bytes', async () => {
        const upload = await joined()
        await (await promoted(upload)).publish()
        await staging.drop(upload)
        expect(await stored(upload)).toBe(upload.id.digest)
      })
    })

    describe('dropping', () => {
      it('removes parts that arrived and refuses later ones', async () => {
        const upload = await sent(await begun(), whole, [2])
        const late = await presign(upload, whole, 2)
        await staging.drop(upload)
        refused(await under.send(late, partOf(whole, 2)))
        expect(await staging.parts(upload)).toBeUndefined()
      })

      it('removes completed bytes', async () => {
        const upload = await joined()
        await staging.drop(upload)
        expect(await staging.open(upload)).toBeUndefined()
      })

      it('succeeds again, and where nothing was staged', async () => {
        const upload = await begun()
        await staging.drop(upload)
        await staging.drop(upload)
        await staging.drop({ ...upload, attempt: randomUUID() })
      })
    })
  })
}
