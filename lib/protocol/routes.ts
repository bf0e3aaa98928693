/**
 * Every resource of the API, once. The HTTP layer, the client, the CDK routes and the OpenAPI document all read this table;
 * `access` picks the Lambda that answers, and so the role that it runs with.
 */

import type { Digest } from '../domain/digest.ts'
import type { ArtifactKey, ArtifactRef } from '../domain/identifiers.ts'

export type Access = 'read' | 'write'
export type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'

/** The path under which the whole API stands, and the name of the gateway's stage. */
export const API_ROOT = '/v1'

const VERSIONS = '/buckets/{bucket_id}/artifacts/{artifact_id}/versions'
const VERSION = `${VERSIONS}/{version}`
const UPLOAD = `${VERSION}/uploads/{digest}`

/** Paths are relative to `API_ROOT`; the empty path is the root itself. */
export const ROUTES = {
  service: { method: 'GET', path: '', access: 'read' },
  health: { method: 'GET', path: '/health', access: 'read' },
  openapi: { method: 'GET', path: '/openapi.json', access: 'read' },
  problems: { method: 'GET', path: '/problems', access: 'read' },
  problem: { method: 'GET', path: '/problems/{code}', access: 'read' },
  listVersions: { method: 'GET', path: VERSIONS, access: 'read' },
  store: { method: 'PUT', path: VERSION, access: 'write' },
  fetch: { method: 'GET', path: VERSION, access: 'read' },
  head: { method: 'HEAD', path: VERSION, access: 'read' },
  entry: { method: 'GET', path: `${VERSION}/entry`, access: 'read' },
  download: { method: 'GET', path: `${VERSION}/download`, access: 'read' },
  beginUpload: { method: 'PUT', path: UPLOAD, access: 'write' },
  uploadState: { method: 'GET', path: UPLOAD, access: 'read' },
  uploadParts: { method: 'POST', path: `${UPLOAD}/parts`, access: 'write' },
  commitUpload: { method: 'POST', path: `${UPLOAD}/commit`, access: 'write' },
  giveUpUpload: { method: 'DELETE', path: UPLOAD, access: 'write' },
} as const satisfies Record<string, { method: Method; path: string; access: Access }>

export type RouteName = keyof typeof ROUTES
export type Route = (typeof ROUTES)[RouteName]

/** Fills a template of the table: each value becomes one percent-encoded segment. */
function fill(template: string, values: Record<string, string>): string {
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ''))
  return `${API_ROOT}${path}`
}

const keyValues = (key: ArtifactKey) => ({ bucket_id: key.bucketId, artifact_id: key.artifactId })
const refValues = (ref: ArtifactRef) => ({ ...keyValues(ref), version: ref.version })

export const problemPath = (code: string): string => fill(ROUTES.problem.path, { code })
export const versionsPath = (key: ArtifactKey): string => fill(ROUTES.listVersions.path, keyValues(key))
export const versionPath = (ref: ArtifactRef): string => fill(ROUTES.fetch.path, refValues(ref))
export const entryPath = (ref: ArtifactRef): string => fill(ROUTES.entry.path, refValues(ref))
export const downloadPath = (ref: ArtifactRef): string => fill(ROUTES.download.path, refValues(ref))
export const uploadPath = (ref: ArtifactRef, digest: Digest): string =>
  fill(ROUTES.beginUpload.path, { ...refValues(ref), digest })
export const uploadPartsPath = (ref: ArtifactRef, digest: Digest): string =>
  fill(ROUTES.uploadParts.path, { ...refValues(ref), digest })
export const commitPath = (ref: ArtifactRef, digest: Digest): string =>
  fill(ROUTES.commitUpload.path, { ...refValues(ref), digest })
export const servicePath = API_ROOT
