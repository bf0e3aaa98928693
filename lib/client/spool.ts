/**
 * Keeps a stream in a temporary file, hashing as it passes. The file loses its name as soon as it is open, so that even
 * a killed process leaves nothing behind.
 */
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { partSize } from '../domain/limits.ts'
import { ArtifactHash } from './artifact-hash.ts'
import { handleSource } from './handle-source.ts'
import { createSha256 } from './node-sha256.ts'
import type { OnProgress } from './progress.ts'
import { type ByteStream, readStream, type Source } from './source.ts'

/** @throws the system's error when the temporary folder has no room; the stream's own error; the reason of `signal`. */
export async function spool(
  stream: ByteStream,
  onProgress: OnProgress | undefined,
  signal: AbortSignal | undefined,
): Promise<Source> {
  const folder = await mkdtemp(join(tmpdir(), 'bucket-'))
  const removeFolder = () => rm(folder, { recursive: true, force: true })
  const handle = await open(join(folder, 'spooled'), 'wx+', 0o600).finally(removeFolder)
  try {
    // How many bytes there will be, and so how large their parts are, is not known yet.
    const hash = new ArtifactHash(createSha256, partSize(0))
    let bytes = 0
    for await (const chunk of readStream(stream, signal)) {
      hash.update(chunk)
      await handle.writeFile(chunk)
      bytes += chunk.byteLength
      onProgress?.({ phase: 'hashing', bytes, total: undefined })
    }
    const source = await handleSource(handle, 'the spooled stream', () => handle.close())
    return { ...source, ...hash.digests() }
  } catch (error) {
    await handle.close()
    throw error
  }
}
