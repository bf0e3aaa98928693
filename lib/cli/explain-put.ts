/** `bucket put --explain`: reads the file, asks the server for its limits, and prints the script. It stores nothing. */
import { basename } from 'node:path'
import { type DescriptionInput, descriptionInput, descriptionOf } from '../domain/description.ts'
import { type Digest, digestHex } from '../domain/digest.ts'
import type { ArtifactKey, ArtifactRef } from '../domain/identifiers.ts'
import { artifactRef } from '../domain/refs.ts'
import { contentVersion } from '../domain/version-names.ts'
import {
  authKind,
  type ChosenConnection,
  type ConnectionOptions,
  chooseConnection,
  connectTo,
} from './connection.ts'
import type { CliContext } from './context.ts'
import { curlScript } from './curl-script.ts'
import { UsageError } from './failure.ts'
import { createOutput, type OutputOptions } from './output.ts'

/** @throws UsageError unless there is one file that can be read twice, and for other bytes than the pinned ones. */
export async function explainPut(
  target: ArtifactRef | ArtifactKey,
  pinned: Digest | undefined,
  files: readonly string[],
  options: ConnectionOptions & OutputOptions & DescriptionInput,
  context: CliContext,
): Promise<void> {
  const [file = '-'] = files
  if (files.length > 1 || file === '-')
    throw new UsageError(
      '--explain needs one file, whose digests it computes',
      'Name one file, by the path that it has on the host of the script.',
      'The script needs one file',
    )
  const { signal } = context
  const output = createOutput(options, context, basename(file))
  const chosen = await chooseConnection(options, context)
  const bucket = await connectTo(chosen, context, output)
  const { digestSource, fileSource } = await import('../client/node.ts')
  const source = await fileSource(file, { signal })
  try {
    const { limits } = await bucket.service({ signal })
    const {
      digest,
      size,
      source: hashed,
    } = await digestSource(source, { onProgress: output.onProgress, signal })
    if (pinned !== undefined && pinned !== digest)
      throw new UsageError(
        `${file} has the digest ${digest}`,
        'Name the file that has these bytes.',
        'Other bytes',
      )
    const script = curlScript({
      ref: 'version' in target ? target : artifactRef({ ...target, version: contentVersion(digest) }),
      file,
      size,
      sha256: digestHex(digest),
      partSha256s: hashed.partSha256s ?? [],
      description: descriptionOf(descriptionInput(options)),
      root: bucket.url,
      maxInlineBytes: limits.maxInlineBytes,
      authorization: curlAuthorization(bucket.url, chosen, context),
    })
    await output.result(script, { script })
  } finally {
    output.close()
    await source.dispose()
  }
}

/** The options of curl that authorize a request. Secrets are variables of the shell that runs it. */
function curlAuthorization(
  url: string,
  { auth, region }: ChosenConnection,
  { environment }: CliContext,
): string {
  const kind = authKind(url, auth)
  const apiKey = kind === 'api-key' || environment.BUCKET_API_KEY ? ' -H "X-Api-Key: $BUCKET_API_KEY"' : ''
  switch (kind) {
    case 'bearer':
      return ` -H "Authorization: Bearer $BUCKET_TOKEN"${apiKey}`
    case 'iam': {
      const [, ofHost] = /\.execute-api\.([^.]+)\./.exec(url) ?? []
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell that runs the script expands it.
      const token = ' ${AWS_SESSION_TOKEN:+-H "x-amz-security-token: $AWS_SESSION_TOKEN"}'
      return ` --aws-sigv4 'aws:amz:${ofHost ?? region?.value}:execute-api' --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"${token}${apiKey}`
    }
    default:
      return apiKey
  }
}
