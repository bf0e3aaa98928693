/** A small JSON file with its own checksum. It is replaced atomically; a damaged one reads as absent. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { errorCode } from '../flow/error-code.ts'
import { writeDurably } from './folder-format.ts'

/** @returns undefined when there is no such file, or when it is damaged. */
export function readSealed<T>(path: string): T | undefined {
  const [text = '', checksum] = contentOf(path)?.split('\n') ?? []
  return checksum === sha256Of(text) ? JSON.parse(text) : undefined
}

/** @param name relative to the data folder. @throws the system's error; the file is unchanged then. */
export async function writeSealed(dataDir: string, name: string, value: unknown): Promise<void> {
  const text = JSON.stringify(value)
  await writeDurably(dataDir, name, `${text}\n${sha256Of(text)}\n`)
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex')
