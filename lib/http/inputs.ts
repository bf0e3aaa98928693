/**
 * Reads the inputs of one request into types that cannot be wrong, and collects every fault on the way:
 * `throwIfAny()` refuses all of them at once (docs/http-api.md, section 8).
 */

import { DEFAULT_CONTENT_TYPE, DESCRIPTION, type Description, parseText } from '../domain/description.ts'
import { type Digest, parseDigest } from '../domain/digest.ts'
import { BucketError } from '../domain/errors.ts'
import {
  type ArtifactKey,
  type ArtifactRef,
  parseArtifactId,
  parseBucketId,
  parseVersion,
} from '../domain/identifiers.ts'
import { ok, type Result } from '../domain/result.ts'
import type { InputLocation, ValidationError } from '../domain/validation.ts'
import { HEADERS } from '../protocol/headers.ts'
import type { HeaderReader } from '../protocol/http-message.ts'
import { parseReprDigest } from './repr-digest.ts'

export class Inputs {
  readonly #faults: ValidationError[] = []
  readonly #params: Readonly<Record<string, string>>
  readonly #headers: HeaderReader
  readonly #query: URLSearchParams

  constructor(params: Readonly<Record<string, string>>, headers: HeaderReader, query: string) {
    this.#params = params
    this.#headers = headers
    this.#query = new URLSearchParams(query)
  }

  fault(place: InputLocation, name: string, detail: string): undefined {
    this.#faults.push({ in: place, name, detail })
  }

  /** @throws BucketError `invalid_request` with every fault so far. */
  throwIfAny(): void {
    if (this.#faults.length > 0) throw BucketError.invalidRequest(this.#faults)
  }

  /** The value, once it is known that no input is faulty. */
  required<T>(value: T | undefined): T {
    this.throwIfAny()
    if (value === undefined) throw new TypeError('an input without a value must have a fault')
    return value
  }

  #take<T>(place: InputLocation, name: string, result: Result<T>): T | undefined {
    return result.ok ? result.value : this.fault(place, name, result.error)
  }

  #param<T>(name: string, parse: (text: string) => Result<T>): T | undefined {
    return this.#take('path', name, parse(this.#params[name] ?? ''))
  }

  artifactKey(): ArtifactKey | undefined {
    const bucketId = this.#param('bucket_id', parseBucketId)
    const artifactId = this.#param('artifact_id', parseArtifactId)
    return bucketId && artifactId && { bucketId, artifactId }
  }

  ref(): ArtifactRef | undefined {
    const key = this.artifactKey()
    const version = this.#param('version', parseVersion)
    return key && version && { ...key, version }
  }

  pathDigest(): Digest | undefined {
    return this.#param('digest', parseDigest)
  }

  /**
   * Reads the query parameters that a route knows, all optional; any other is a fault, and so is a repeated one.
   * `X-Amz-*` parameters belong to a signature, not to the request (docs/http-api.md, section 1).
   */
  query<Names extends string>(...known: Names[]): Partial<Record<Names, string>> {
    const values: Partial<Record<Names, string>> = {}
    const isKnown = (name: string): name is Names => (known as string[]).includes(name)
    const names = [...new Set(this.#query.keys())].filter((name) => !/^x-amz-/i.test(name))
    for (const name of names) {
      const [value, ...more] = this.#query.getAll(name)
      const expected =
        known.length === 0 ? 'this resource takes none' : `this resource takes ${known.join(', ')}`
      if (!isKnown(name)) this.fault('query', name, `is no parameter here: ${expected}`)
      else if (more.length > 0) this.fault('query', name, 'is given more than once')
      else if (value !== undefined) values[name] = value
    }
    return values
  }

  queryDigest(): Digest | undefined {
    const { digest } = this.query('digest')
    return digest === undefined ? undefined : this.#take('query', 'digest', parseDigest(digest))
  }

  /** The digest that the sender declares, in either header; both must agree (docs/http-api.md, section 4). */
  declaredDigest(): Digest | undefined {
    const own = this.#headers.get(HEADERS.artifactDigest)
    const standard = this.#headers.get(HEADERS.reprDigest)
    const parsedStandard = standard === null ? ok(undefined) : parseReprDigest(standard)
    const fromStandard = this.#take('header', HEADERS.reprDigest, parsedStandard)
    const fromOwn = own === null ? undefined : this.#take('header', HEADERS.artifactDigest, parseDigest(own))
    if (own === null && standard === null)
      return this.fault(
        'header',
        HEADERS.artifactDigest,
        `is missing: declare sha256:<hex> of the body, here or as sha-256 in ${HEADERS.reprDigest}`,
      )
    if (own === null && parsedStandard.ok && fromStandard === undefined)
      return this.fault('header', HEADERS.reprDigest, 'has no sha-256 member: only that one is checked')
    if (fromOwn && fromStandard && fromOwn !== fromStandard)
      return this.fault(
        'header',
        HEADERS.reprDigest,
        `says ${fromStandard}, but ${HEADERS.artifactDigest} says ${fromOwn}`,
      )
    return fromOwn ?? fromStandard
  }

  #text(name: string, limit: number): string | null {
    const value = this.#headers.get(name)
    return value === null ? null : (this.#take('header', name, parseText(value, limit)) ?? null)
  }

  /** What the uploader says about the artifact, from the headers of a store. */
  description(): Description {
    return {
      contentType: this.#text('Content-Type', DESCRIPTION.contentType.maxLength) ?? DEFAULT_CONTENT_TYPE,
      uploadedBy: this.#text(HEADERS.uploadedBy, DESCRIPTION.uploadedBy.maxLength),
      provenanceSource: this.#text(HEADERS.provenanceSource, DESCRIPTION.provenanceSource.maxLength),
    }
  }
}
