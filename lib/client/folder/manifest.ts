/** The folder manifest, format 1: what it contains, its rules, and its only written form (docs/manifest.md). */
import { type Digest, parseDigest } from '../../domain/digest.ts'
import { type ArtifactRef, formatRef } from '../../domain/identifiers.ts'
import { artifactRef, parseRef } from '../../domain/refs.ts'
import { FolderError } from './folder-error.ts'

const MANIFEST_FORMAT = 'bucket-folder/1'
export const MANIFEST_TYPE = 'application/vnd.bucket.folder.v1+json'
/** Room for about 300,000 files. */
export const MAX_MANIFEST_BYTES = 64 * 1024 * 1024

const LONE_SURROGATE = /\p{Surrogate}/u
const MAX_PATH_BYTES = 4096
const MAX_NAME_BYTES = 255
/** `.files` follows, and an identifier has at most 128 characters. */
const MAX_FOLDER_ARTIFACT_ID = 122

export interface ManifestFile {
  readonly type: 'file'
  /** Relative, with `/` between segments. */
  readonly path: string
  /** Bytes. */
  readonly size: number
  readonly digest: Digest
  readonly executable?: boolean | undefined
  /** `bucket_id/artifact_id/version` with the bytes, if they are not under the default ref. */
  readonly ref?: string | undefined
}

/** An empty folder. */
export interface ManifestFolder {
  readonly type: 'folder'
  readonly path: string
}

export interface ManifestSymlink {
  readonly type: 'symlink'
  readonly path: string
  readonly target: string
}

export type ManifestEntry = ManifestFile | ManifestFolder | ManifestSymlink

export interface FolderManifest {
  /** Sorted by the bytes of their paths. */
  readonly entries: readonly ManifestEntry[]
}

/** @throws FolderError `manifest_invalid` with the first faults. */
export function folderManifest(entries: readonly ManifestEntry[]): FolderManifest {
  const faults = [...entries.flatMap(entryFaults), ...treeFaults(entries)]
  if (faults.length > 0) throw invalid(faults)
  const encoder = new TextEncoder()
  const keyed = entries.map((entry) => ({ entry, key: encoder.encode(entry.path) }))
  return { entries: keyed.sort((a, b) => compareBytes(a.key, b.key)).map(({ entry }) => entry) }
}

/** @returns the bytes of a manifest; equal folders give equal bytes. */
export function encodeManifest({ entries }: FolderManifest): Uint8Array {
  const lines = entries.map((entry) => JSON.stringify(written(entry)))
  const list = lines.length === 0 ? '[]' : `[\n${lines.join(',\n')}\n]`
  return new TextEncoder().encode(`{"format":"${MANIFEST_FORMAT}","entries":${list}}\n`)
}

/** @throws FolderError `manifest_invalid`. */
export function parseManifest(bytes: Uint8Array): FolderManifest {
  let document: unknown
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    throw invalid(['it is not JSON in UTF-8'])
  }
  if (!isObject(document)) throw invalid(['it is not a JSON object'])
  if (document.format !== MANIFEST_FORMAT)
    throw new FolderError(
      'manifest_invalid',
      `the format of the manifest is ${JSON.stringify(document.format)}, not ${MANIFEST_FORMAT}`,
      'If the format is a newer one, use a newer client.',
    )
  if (Object.keys(document).length !== 2 || !Array.isArray(document.entries))
    throw invalid(['its members are not exactly format and entries'])
  return folderManifest(document.entries.map(readEntry))
}

/** @returns the pinned place of a file's bytes. @throws FolderError `folder_invalid` when the artifact_id is too long. */
export function fileRef(
  manifest: ArtifactRef,
  { ref, digest }: Pick<ManifestFile, 'ref' | 'digest'>,
): ArtifactRef {
  if (ref !== undefined) return parseRef(ref)
  return artifactRef({
    bucketId: manifest.bucketId,
    artifactId: filesArtifactId(manifest.artifactId),
    version: digest.replace(':', '-'),
  })
}

/** @returns the artifact that holds the files of the folders of `artifactId`. */
export function filesArtifactId(artifactId: string): string {
  if (artifactId.length > MAX_FOLDER_ARTIFACT_ID)
    throw new FolderError(
      'folder_invalid',
      `the artifact_id has ${artifactId.length} characters; for folders at most ${MAX_FOLDER_ARTIFACT_ID} are allowed`,
      'Choose a shorter artifact_id.',
    )
  return `${artifactId}.files`
}

/** @returns what is wrong with the path of an entry; undefined if nothing is. */
export function pathFault(path: string): string | undefined {
  const shown = JSON.stringify(path.length > 80 ? `${path.slice(0, 80)}…` : path)
  if (LONE_SURROGATE.test(path)) return `${shown} is not valid Unicode`
  if (path.includes('\0')) return `${shown} contains NUL`
  const segments = path.split('/')
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..'))
    return `${shown} is not a relative path without empty segments, . and ..`
  if (segments.some((segment) => byteLength(segment) > MAX_NAME_BYTES))
    return `${shown} has a name of more than ${MAX_NAME_BYTES} bytes`
  if (byteLength(path) > MAX_PATH_BYTES) return `${shown} has more than ${MAX_PATH_BYTES} bytes`
  return undefined
}

/** @returns why a symlink may lead outside the folder; undefined if it cannot. */
export function targetFault(path: string, target: string): string | undefined {
  const shown = JSON.stringify(path)
  if (
    target === '' ||
    target.includes('\0') ||
    LONE_SURROGATE.test(target) ||
    byteLength(target) > MAX_PATH_BYTES
  )
    return `the symlink ${shown} has an invalid target`
  const segments = target.split('/')
  const ups = segments.findIndex((segment) => segment !== '..')
  const leading = ups === -1 ? segments.length : ups
  const depth = path.split('/').length - 1
  // A .. after another segment may follow a symlink and lead anywhere.
  if (target.startsWith('/') || segments.slice(leading).includes('..') || leading > depth)
    return `the symlink ${shown} leads outside the folder, or may: ${JSON.stringify(target)}`
  return undefined
}

function written(entry: ManifestEntry): object {
  switch (entry.type) {
    case 'file': {
      const { path, type, size, digest, executable, ref } = entry
      return {
        path,
        type,
        size,
        digest,
        ...(executable && { executable }),
        ...(ref !== undefined && { ref }),
      }
    }
    case 'folder':
      return { path: entry.path, type: entry.type }
    case 'symlink':
      return { path: entry.path, type: entry.type, target: entry.target }
  }
}

const MEMBERS: { readonly [type: string]: { required: readonly string[]; optional: readonly string[] } } = {
  file: { required: ['path', 'type', 'size', 'digest'], optional: ['executable', 'ref'] },
  folder: { required: ['path', 'type'], optional: [] },
  symlink: { required: ['path', 'type', 'target'], optional: [] },
}

function readEntry(value: unknown): ManifestEntry {
  if (!isObject(value)) throw invalid(['an entry is not a JSON object'])
  const { path, type, size, digest, executable, ref, target } = value
  const members = typeof type === 'string' && Object.hasOwn(MEMBERS, type) ? MEMBERS[type] : undefined
  if (typeof path !== 'string' || members === undefined) throw invalid(['an entry has no valid path or type'])
  const known = [...members.required, ...members.optional]
  if (
    !members.required.every((name) => name in value) ||
    !Object.keys(value).every((name) => known.includes(name))
  )
    throw invalid([`${JSON.stringify(path)} lacks a member, or has one that the format does not know`])
  if (type === 'folder') return { type, path }
  const wrongType = () => invalid([`${JSON.stringify(path)} has a member of a wrong type`])
  if (type === 'symlink') {
    if (typeof target !== 'string') throw wrongType()
    return { type, path, target }
  }
  const parsed = parseDigest(typeof digest === 'string' ? digest : '')
  if (
    !parsed.ok ||
    typeof size !== 'number' ||
    (executable !== undefined && typeof executable !== 'boolean') ||
    (ref !== undefined && typeof ref !== 'string')
  )
    throw wrongType()
  return {
    type: 'file',
    path,
    size,
    digest: parsed.value,
    ...(executable && { executable }),
    ...(ref !== undefined && { ref }),
  }
}

function entryFaults(entry: ManifestEntry): string[] {
  const faults = [pathFault(entry.path)]
  if (entry.type === 'symlink') faults.push(targetFault(entry.path, entry.target))
  if (entry.type === 'file') {
    const shown = JSON.stringify(entry.path)
    if (!Number.isSafeInteger(entry.size) || entry.size < 0)
      faults.push(`${shown} has the size ${entry.size}`)
    if (entry.ref !== undefined && !isRef(entry.ref)) faults.push(`the ref of ${shown} is invalid`)
  }
  return faults.filter((fault) => fault !== undefined)
}

function isRef(text: string): boolean {
  try {
    return formatRef(parseRef(text)) === text
  } catch {
    return false
  }
}

/** Two entries with one path, and entries below something that is not a folder. */
function treeFaults(entries: readonly ManifestEntry[]): string[] {
  const types = new Map<string, ManifestEntry['type']>()
  const faults: string[] = []
  for (const { path, type } of entries) {
    if (types.has(path)) faults.push(`${JSON.stringify(path)} occurs twice`)
    types.set(path, type)
  }
  for (const { path } of entries)
    for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
      const above = types.get(path.slice(0, at))
      if (above !== undefined && above !== 'folder')
        faults.push(`${JSON.stringify(path)} lies below a file or a symlink`)
    }
  return faults
}

const invalid = (faults: readonly string[]) => {
  const more = faults.length > 5 ? ` (and ${faults.length - 5} more)` : ''
  return new FolderError(
    'manifest_invalid',
    `the manifest breaks its rules: ${faults.slice(0, 5).join('; ')}${more}`,
    'Nothing was fetched. Tell the author of the manifest.',
  )
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const byteLength = (text: string): number => new TextEncoder().encode(text).byteLength

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let at = 0; at < Math.min(a.byteLength, b.byteLength); at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0)
    if (difference !== 0) return difference
  }
  return a.byteLength - b.byteLength
}
