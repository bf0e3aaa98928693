/**
 * `bucket put --explain`: the same store as a shell script for a host that has curl, and no Bucket. The script holds no secret: it
 * reads those from the environment, as this command does.
 */
import type { Description } from '../domain/description.ts'
import { type Digest, digestFromHex } from '../domain/digest.ts'
import { type ArtifactRef, formatPinnedRef } from '../domain/identifiers.ts'
import { defaultMode, partSize, sizeOfPart } from '../domain/limits.ts'
import { descriptionHeaders } from '../protocol/description.ts'
import { encodeUploadTerms } from '../protocol/encode.ts'
import { HEADERS } from '../protocol/headers.ts'
import { API_ROOT, uploadPath, versionPath } from '../protocol/routes.ts'
import { shellQuoted } from './shell-quote.ts'

export interface CurlPlan {
  readonly ref: ArtifactRef
  /** The path of the file, as the script opens it. */
  readonly file: string
  /** Bytes. */
  readonly size: number
  /** 64 hex digits. */
  readonly sha256: string
  /** Of each part, in order; used in multipart mode only. */
  readonly partSha256s: readonly string[]
  readonly description: Description
  /** The root of the API. */
  readonly root: string
  /** Bytes that the server accepts in one request body. */
  readonly maxInlineBytes: number
  /** The options of curl that authorize a request, in the syntax of a shell. */
  readonly authorization: string
}

export function curlScript(plan: CurlPlan): string {
  const { ref, file, size, sha256, maxInlineBytes, authorization } = plan
  const digest = digestFromHex(sha256)
  const isInline = size <= maxInlineBytes && defaultMode(size) === 'single'
  const way = isInline
    ? 'one request'
    : defaultMode(size) === 'single'
      ? 'an upload in one piece'
      : 'an upload in parts'
  return `#!/bin/sh
# Stores a file of ${size} bytes as ${formatPinnedRef({ ref, digest })} with curl: ${way}.
# Repeating it is safe: it never replaces anything, and sends only what is missing.
set -eu
file=${shellQuoted(file)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One request to the API; its answer is in $work/answer.
api() {
  : > "$work/answer"
  curl -sS --fail-with-body --retry 5${authorization} -o "$work/answer" "$@" || refused
}
# Says why. These bytes being stored already is a success.
refused() {
  cat "$work/answer" && echo
  grep -q '"conflict":"identical"' "$work/answer" && exit 0
  exit 1
}

${isInline ? inline(plan, digest) : upload(plan, digest)}`
}

/** The API's paths begin with `API_ROOT`, the last part of its root. */
const urlOf = (root: string, path: string): string =>
  `${root.endsWith(API_ROOT) ? root.slice(0, -API_ROOT.length) : root}${path}`

function inline({ ref, root, description }: CurlPlan, digest: Digest): string {
  const headers = { ...descriptionHeaders(description), [HEADERS.artifactDigest]: digest }
  const options = Object.entries(headers).map(
    ([name, value]) => ` \\\n  -H ${shellQuoted(`${name}: ${value}`)}`,
  )
  return `api -X PUT ${shellQuoted(urlOf(root, versionPath(ref)))} --data-binary @"$file"${options.join('')}
cat "$work/answer" && echo
`
}

function upload(plan: CurlPlan, digest: Digest): string {
  const { ref, root, size, description } = plan
  const mode = defaultMode(size)
  const terms = JSON.stringify(encodeUploadTerms({ size, mode, description }))
  return `upload=${shellQuoted(urlOf(root, uploadPath(ref, digest)))}

# Reads a presigned request from JSON, and writes it as options of curl.
request() {
  tr '{},' '\\n\\n\\n' | sed -n -e 's/^"method":\\("[A-Z]*"\\)$/request = \\1/p' -e 's/^"url":\\("[^"]*"\\)$/url = \\1/p' \\
    -e 's/^"\\([a-z0-9-]*-[a-z0-9-]*\\)":"\\(.*\\)"$/header = "\\1: \\2"/p' > "$work/request"
}
# Sends a file with that request. The store answers with 412 if it has the bytes already.
send() {
  code=$(curl -sS --retry 5 -K "$work/request" -T "$1" -o "$work/answer" -w '%{http_code}')
  case $code in 2??|412) ;; *) cat "$work/answer" >&2; exit 1 ;; esac
}

# Begin, or find what an earlier run began.
api -X PUT "$upload" -H 'Content-Type: application/json' -d ${shellQuoted(terms)}
begun=$(cat "$work/answer")

${mode === 'single' ? WHOLE : parts(plan)}
# Commit. 202: the service is reading the bytes again.
until
  api -X POST "$upload/commit" -w '%{http_code}' > "$work/code"
  [ "$(cat "$work/code")" != 202 ]
do sleep 1; done
cat "$work/answer" && echo
`
}

const WHOLE = `case $begun in
  *'"received":true'*) ;;
  *) printf '%s' "$begun" | request; send "$file" ;;
esac
`

function parts({ size, partSha256s }: CurlPlan): string {
  const lines = partSha256s.map((sha256, at) => `${at + 1} ${sizeOfPart(size, at + 1)} ${sha256}\n`)
  return `# The parts: number, bytes, SHA-256. Those that have arrived are not sent again.
while read -r number bytes sha256; do
  case $begun in *"{\\"number\\":$number,\\"size\\":$bytes,\\"sha256\\":\\"$sha256\\"}"*) continue ;; esac
  dd if="$file" of="$work/part" bs=${partSize(size)} skip=$((number - 1)) count=1 2> "$work/dd"
  api -X POST "$upload/parts" -H 'Content-Type: application/json' \\
    -d "{\\"parts\\":[{\\"number\\":$number,\\"sha256\\":\\"$sha256\\"}]}" < /dev/null
  request < "$work/answer"
  send "$work/part"
done <<PARTS
${lines.join('')}PARTS
`
}
