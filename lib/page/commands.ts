/** Commands that fetch one artifact and verify its bytes, to be copied. Identifiers and digests need no quotes in a shell. */
import { MANIFEST_TYPE } from '../client/index.ts'
import { digestHex } from '../domain/digest.ts'
import type { Entry } from '../domain/entry.ts'
import { formatPinnedRef } from '../domain/identifiers.ts'
import { API_ROOT, versionPath } from '../protocol/routes.ts'
import type { PageConfig } from './connection.ts'

export interface Command {
  readonly title: string
  readonly text: string
}

/** The default address of the command line and the clients. */
const DEFAULT_API = 'http://127.0.0.1:9470/v1'

/** The name that the command line and browsers give to the file. */
export const fileNameOf = ({ ref }: Entry): string => `${ref.artifactId}-${ref.version}`

/**
 * @returns the commands that can send the credentials which this API demands. Those of a folder's manifest fetch the folder, which `curl`
 * cannot.
 */
export function commandsFor(entry: Entry, config: PageConfig): Command[] {
  const curl = isFolder(entry) ? undefined : curlCommand(entry, config)
  return [bucketCommand(entry, config), ...(curl ? [curl] : []), pythonCommand(entry, config)]
}

const isFolder = ({ contentType }: Entry): boolean => contentType === MANIFEST_TYPE

function bucketCommand(entry: Entry, { api, auth }: PageConfig): Command {
  const pinned = formatPinnedRef(entry)
  const fetched = isFolder(entry) ? `pull ${pinned} ${fileNameOf(entry)}` : `get ${pinned}`
  const url = api === DEFAULT_API ? '' : ` --url ${quoted(api)}`
  return {
    title: 'Command line',
    text: `bucket ${fetched}${url}${auth === 'none' ? '' : ` --auth ${auth}`}`,
  }
}

function pythonCommand(entry: Entry, { api, auth }: PageConfig): Command {
  const options = [
    ...(api === DEFAULT_API ? [] : [JSON.stringify(api)]),
    ...(auth === 'none' ? [] : [`auth=${JSON.stringify(auth)}`]),
  ]
  return {
    title: 'Python',
    text: `from bucket_client import BucketClient

BucketClient(${options.join(', ')}).${isFolder(entry) ? 'pull' : 'download'}(
    "${formatPinnedRef(entry)}",
    "${fileNameOf(entry)}",
)`,
  }
}

/** `curl` repeats an API key and a signature to the target of a redirect, where the store refuses them. */
function curlCommand(entry: Entry, { api, auth, apiKey }: PageConfig): Command | undefined {
  if (auth === 'iam' || auth === 'api-key' || apiKey) return undefined
  const name = fileNameOf(entry)
  const url = `${api}${versionPath(entry.ref).slice(API_ROOT.length)}?digest=${entry.digest}`
  const token = auth === 'bearer' ? ' -H "Authorization: Bearer $BUCKET_TOKEN"' : ''
  return {
    title: 'curl',
    text: `curl -fL${token} -o ${name} ${quoted(url)} &&
  echo '${digestHex(entry.digest)}  ${name}' | sha256sum -c`,
  }
}

/** For a POSIX shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
