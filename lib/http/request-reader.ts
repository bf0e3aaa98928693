/**
 * Reads the inputs that a route declares into domain values, and collects every error on the way, so that a refusal names all
 * of them at once (docs/http-api.md, section 8).
 */
import { DESCRIPTION, type Description, describeWith, parseText } from '../domain/description.ts'
import { type Digest, parseDigest } from '../domain/digest.ts'
import { BucketError } from '../domain/errors.ts'
import { type ArtifactKey, parseArtifactId, parseBucketId, parseVersion } from '../domain/identifiers.ts'
import { DEFAULT_PAGE_LIMIT, MAX_PAGE_LIMIT } from '../domain/limits.ts'
import { ok, type Result } from '../domain/result.ts'
import { DESCRIPTION_WIRE } from '../protocol/description.ts'
import { HEADERS } from '../protocol/headers.ts'
import type { HttpRequest } from '../protocol/http-message.ts'
import { type InputError, type InputLocation, invalidInputs } from '../protocol/input-error.ts'
import type { HeaderInput, QueryName } from '../protocol/inputs.ts'
import { ROUTES, type RouteDescriptor, type RouteName } from '../protocol/routes.ts'
import { parseCursor } from './cursor.ts'
import type { HeaderValues, InputOf, QueryValues, RangeFields } from './handlers.ts'
import { readJson } from './json-body.ts'
import { type Preconditions, readPreconditions } from './preconditions.ts'
import { parseReprDigest } from './repr-digest.ts'
import type { PathMatch } from './router.ts'

/** Decodes a JSON body. Errors are named by the path of the member. */
export type BodyDecoder<T = unknown> = (json: unknown) => Result<T, readonly InputError[]>

export interface RequestParts {
  readonly request: HttpRequest
  /** The path, parsed. */
  readonly match: Pick<PathMatch, 'params' | 'overEncoded'>
  readonly query: string
  /** Whether a fetch redirects: conditions that its client would repeat to the target are then refused. */
  readonly redirects: boolean
  /** The decoder of a JSON body, where the route has one. */
  readonly decodeBody: BodyDecoder | undefined
}

/**
 * @returns every input of the route.
 * @throws BucketError `invalid_request` with every invalid input; `unsupported_content_encoding`.
 */
export async function readInputs<N extends RouteName>(name: N, parts: RequestParts): Promise<InputOf<N>> {
  const route: RouteDescriptor = ROUTES[name]
  const reader = new RequestReader(parts)
  const subject = reader.subject(route.path)
  const inputs = {
    ...subject,
    ...reader.query(route.query ?? [], subject.key),
    ...reader.headers(route.headers ?? []),
    ...(await reader.body(route)),
  }
  reader.throwIfInvalid()
  if (route.body) refuseCodings(parts.request.headers.get('Content-Encoding'))
  // Each reader above returns the type that `InputOf` names for the same part of the descriptor.
  return inputs as unknown as InputOf<N>
}

class RequestReader {
  readonly #errors: InputError[] = []
  readonly #parts: RequestParts

  constructor(parts: RequestParts) {
    this.#parts = parts
  }

  throwIfInvalid(): void {
    if (this.#errors.length > 0) throw invalidInputs(this.#errors)
  }

  addError(location: InputLocation, name: string, detail: string): undefined {
    this.#errors.push({ in: location, name, detail })
  }

  #take<T>(location: InputLocation, name: string, result: Result<T>): T | undefined {
    return result.ok ? result.value : this.addError(location, name, result.error)
  }

  #header(name: string): string | null {
    return this.#parts.request.headers.get(name)
  }

  /** The subject that the parameters of the path name. */
  subject(path: string) {
    for (const name of new Set(this.#parts.match.overEncoded))
      this.addError(
        'path',
        name,
        'has a percent-encoded letter, digit, -, ., _ or ~: write the character itself',
      )
    const read = <T>(name: string, parse: (text: string) => Result<T>): T | undefined =>
      path.includes(`{${name}}`)
        ? this.#take('path', name, parse(this.#parts.match.params[name] ?? ''))
        : undefined
    const bucketId = read('bucket_id', parseBucketId)
    const artifactId = read('artifact_id', parseArtifactId)
    const version = read('version', parseVersion)
    const digest = read('digest', parseDigest)
    const key = bucketId && artifactId && { bucketId, artifactId }
    const ref = key && version && { ...key, version }
    return { key, ref, id: ref && digest && { ref, digest }, code: this.#parts.match.params.code }
  }

  /**
   * The query parameters that a route declares. Any other is an error, and so is a repeated one. `X-Amz-*` parameters belong
   * to a signature, not to the request (docs/http-api.md, section 1).
   */
  query(known: readonly QueryName[], key: ArtifactKey | undefined): Partial<QueryValues> {
    const fields = new URLSearchParams(this.#parts.query)
    const texts: Partial<Record<QueryName, string>> = {}
    const isKnown = (name: string): name is QueryName => (known as readonly string[]).includes(name)
    for (const name of new Set(fields.keys())) {
      if (/^x-amz-/i.test(name)) continue
      const [value, ...more] = fields.getAll(name)
      if (!isKnown(name)) {
        const taken = known.length === 0 ? 'none' : known.join(', ')
        this.addError('query', name, `is not a parameter of this resource, which takes ${taken}`)
      } else if (more.length > 0) this.addError('query', name, 'is given more than once')
      else if (value !== undefined) texts[name] = value
    }
    return Object.fromEntries(known.map((name) => [name, this.#queryValue(name, texts[name], key)]))
  }

  #queryValue(name: QueryName, text: string | undefined, key: ArtifactKey | undefined) {
    switch (name) {
      case 'digest':
        return text === undefined ? undefined : this.#take('query', name, parseDigest(text))
      case 'limit':
        return text === undefined ? DEFAULT_PAGE_LIMIT : this.#limit(text)
      case 'cursor':
        return text === undefined || key === undefined
          ? undefined
          : this.#take('query', name, parseCursor(text, key))
    }
  }

  #limit(text: string): number | undefined {
    const limit = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : Number.NaN
    if (limit <= MAX_PAGE_LIMIT) return limit
    return this.addError('query', 'limit', `is not a whole number from 1 to ${MAX_PAGE_LIMIT}`)
  }

  headers(groups: readonly HeaderInput[]): Partial<HeaderValues> {
    return Object.fromEntries(groups.map((group) => [group, this.#headerValue(group)]))
  }

  #headerValue(group: HeaderInput): HeaderValues[HeaderInput] | undefined {
    switch (group) {
      case 'declaredDigest':
        return this.#declaredDigest()
      case 'description':
        return this.#description()
      case 'onlyIfAbsent':
        return this.#onlyIfAbsent()
      case 'conditions':
        return this.#conditions()
      case 'range':
        return this.#range()
    }
  }

  /** The digest that the sender declares, in either header; both must agree (docs/http-api.md, section 4). */
  #declaredDigest(): Digest | undefined {
    const own = this.#header(HEADERS.artifactDigest)
    const standard = this.#header(HEADERS.reprDigest)
    const parsedStandard = standard === null ? ok(undefined) : parseReprDigest(standard)
    const fromStandard = this.#take('header', HEADERS.reprDigest, parsedStandard)
    const fromOwn = own === null ? undefined : this.#take('header', HEADERS.artifactDigest, parseDigest(own))
    if (own === null && standard === null)
      return this.addError(
        'header',
        HEADERS.artifactDigest,
        `is missing: declare sha256:<hex> of the body, here or as sha-256 in ${HEADERS.reprDigest}`,
      )
    if (own === null && parsedStandard.ok && fromStandard === undefined)
      return this.addError(
        'header',
        HEADERS.reprDigest,
        'has no sha-256 member, the only one that is checked',
      )
    if (fromOwn && fromStandard && fromOwn !== fromStandard)
      return this.addError(
        'header',
        HEADERS.reprDigest,
        `is ${fromStandard}, but ${HEADERS.artifactDigest} is ${fromOwn}`,
      )
    return fromOwn ?? fromStandard
  }

  #description(): Description {
    return describeWith((member) => {
      const { header } = DESCRIPTION_WIRE[member]
      const text = this.#header(header)
      if (text === null || (member === 'contentType' && isFormType(text))) return null
      return this.#take('header', header, parseText(text, DESCRIPTION[member].maxLength))
    })
  }

  #onlyIfAbsent(): boolean {
    for (const name of REFUSED_ON_STORE)
      if (this.#header(name) !== null)
        this.addError(
          'header',
          name,
          'is not supported on a store: the only precondition is If-None-Match: *',
        )
    const ifNoneMatch = this.#header('If-None-Match')
    if (ifNoneMatch !== null && ifNoneMatch.trim() !== '*')
      this.addError('header', 'If-None-Match', 'can only be * on a store')
    return ifNoneMatch !== null
  }

  #conditions(): Preconditions {
    if (this.#isRedirected()) this.#refuseOnRedirect('If-Match')
    return readPreconditions(
      (name) => this.#header(name),
      (name, detail) => this.addError('header', name, detail),
    )
  }

  #range(): RangeFields {
    if (this.#isRedirected()) this.#refuseOnRedirect('If-Range')
    return { range: this.#header('Range'), ifRange: this.#header('If-Range') }
  }

  #isRedirected(): boolean {
    return this.#parts.redirects && this.#parts.request.method === 'GET'
  }

  #refuseOnRedirect(name: string): void {
    if (this.#header(name) !== null)
      this.addError(
        'header',
        name,
        'would be repeated to the target of the redirect, which compares it with another entity tag: use ?digest=sha256:<hex>',
      )
  }

  async body({ body }: RouteDescriptor): Promise<{ readonly body?: unknown }> {
    const { request, decodeBody } = this.#parts
    if (body === undefined) return {}
    if (body === 'bytes') return { body: { size: request.size, bytes: request.body } }
    const json = await readJson(request)
    const decoded = json.ok ? decodeBody?.(json.value) : json
    if (decoded === undefined) throw new TypeError(`there is no decoder for ${body}`)
    if (decoded.ok) return { body: decoded.value }
    this.#errors.push(...decoded.error)
    return {}
  }
}

/** `curl --data-binary` and Python's `urllib` send it unasked, so it counts as absent (docs/http-api.md, section 1). */
export const isFormType = (contentType: string): boolean =>
  /^application\/x-www-form-urlencoded\s*(;|$)/i.test(contentType)

/** A store has one possible precondition. Any other, or a part of a representation, would promise a check that is not made. */
const REFUSED_ON_STORE = [
  'If-Match',
  'If-Modified-Since',
  'If-Unmodified-Since',
  'If-Range',
  'Content-Range',
] as const

function refuseCodings(contentEncoding: string | null): void {
  const codings = (contentEncoding ?? '').split(',').map((coding) => coding.trim().toLowerCase())
  const refused = codings.filter((coding) => coding !== '' && coding !== 'identity')
  if (refused.length > 0)
    throw new BucketError(
      'unsupported_content_encoding',
      `Content-Encoding ${refused.join(', ')} is not supported`,
      {},
    )
}
