/**
 * The places of the page, as the fragment of its address: a fragment stays in the browser, so that no log of a web server has
 * refs, and the page works as static files of any server.
 *
 * `#` look up · `#/store` store · `#BUCKET_ID/ARTIFACT_ID` versions · `#BUCKET_ID/ARTIFACT_ID/VERSION[@sha256:…]` entry
 */
import { type Digest, parseDigest } from '../domain/digest.ts'
import { BucketError } from '../domain/errors.ts'
import { type ArtifactKey, type ArtifactRef, formatArtifactKey, formatRef } from '../domain/identifiers.ts'
import { parseArtifactKey, parseRef } from '../domain/refs.ts'

export type Place =
  | { readonly view: 'look-up' }
  | { readonly view: 'store' }
  | { readonly view: 'versions'; readonly key: ArtifactKey }
  | { readonly view: 'entry'; readonly ref: ArtifactRef; readonly digest: Digest | undefined }

const STORE = '/store'

/** @throws BucketError `invalid_request` if the text names no place. */
export function parsePlace(fragment: string): Place {
  const text = fragmentText(fragment)
  if (text === '') return { view: 'look-up' }
  return text === STORE ? { view: 'store' } : parseName(text)
}

/**
 * Reads what a person types or pastes: an artifact, a ref, or a pinned ref.
 *
 * @throws BucketError `invalid_request` with every fault.
 */
export function parseName(text: string): Extract<Place, { view: 'versions' | 'entry' }> {
  const [name = '', ...pins] = text.trim().split('@')
  const pin = pins.length === 0 ? undefined : parseDigest(pins.join('@'))
  if (pin?.ok === false) throw BucketError.invalidRequest([{ name: 'digest', detail: pin.error }])
  const segments = name.split('/').length
  if (segments !== 2 && segments !== 3)
    throw BucketError.invalidRequest([
      { name: 'ref', detail: `${JSON.stringify(name)} is not bucket_id/artifact_id/version` },
    ])
  if (segments === 2) {
    if (pin !== undefined)
      throw BucketError.invalidRequest([{ name: 'ref', detail: 'needs a version in front of the digest' }])
    return { view: 'versions', key: parseArtifactKey(name) }
  }
  return { view: 'entry', ref: parseRef(name), digest: pin?.value }
}

/** @returns the fragment, with its `#`. */
export function formatPlace(place: Place): string {
  switch (place.view) {
    case 'look-up':
      return '#'
    case 'store':
      return `#${STORE}`
    case 'versions':
      return `#${formatArtifactKey(place.key)}`
    case 'entry':
      return `#${formatRef(place.ref)}${place.digest === undefined ? '' : `@${place.digest}`}`
  }
}

/** @returns the fragment of a text that a person typed, valid or not. */
export const fragmentOf = (text: string): string => `#${encodeURI(text.replace(/\p{Surrogate}/gu, '\ufffd'))}`

/** Names need no escapes in a fragment, but other programs escape them. @returns the text after the `#`. */
export function fragmentText(fragment: string): string {
  const text = fragment.replace(/^#/, '')
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
