/**
 * Code blocks of a document that run as printed. The fence gives the kind of a block: `sh run`, `js run FILE`, `python run FILE`, or
 * a role of the document's own; a block `… prints` holds the stdout of the block before it, where `…` matches anything.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Block {
  readonly language: string
  readonly role: string
  readonly file: string | undefined
  readonly text: string
  readonly line: number
}

export interface RanBlock {
  readonly exit: unknown
  readonly stdout: string
  readonly stderr: string
}

export interface BlockPlace {
  readonly folder: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** A limit for hangs: milliseconds. */
  readonly limit: number
}

export const blocksOf = (markdown: string): Block[] =>
  [...markdown.matchAll(/^```(\w+) (serve|run|prints)(?: (\S+))?\n(.*?)^```$/gms)].map((found) => {
    const [, language = '', role = '', file, text = ''] = found
    return { language, role, file, text, line: markdown.slice(0, found.index).split('\n').length }
  })

/** The expected stdout of blocks, each from the `prints` block after it. */
export const printedBy = (blocks: readonly Block[]): ReadonlyMap<Block | undefined, string> =>
  new Map(blocks.flatMap((block, at) => (block.role === 'prints' ? [[blocks[at - 1], block.text]] : [])))

export const patternOf = (text: string): RegExp =>
  new RegExp(
    `^${text
      .trimEnd()
      .split('…')
      .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
      .join('.*')}$`,
    's',
  )

/** Starts a program in a process group of its own, so that `stopGroup` ends its children too. */
export const startGroup = (command: string, args: readonly string[], { folder, environment }: BlockPlace) =>
  spawn(command, args, { cwd: folder, env: environment, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })

export function stopGroup(child: ChildProcess): void {
  if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM')
}

export async function runBlock({ language, file, text }: Block, place: BlockPlace): Promise<RanBlock> {
  if (file !== undefined) await writeFile(join(place.folder, file), text)
  const [command, args] =
    language === 'js'
      ? ['node', [file ?? '']]
      : language === 'python'
        ? ['python3', [file ?? '']]
        : ['bash', ['-euo', 'pipefail', '-c', text]]
  const child = startGroup(command, args, place)
  const timer = setTimeout(() => stopGroup(child), place.limit)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8')
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8')
  })
  const [exit] = await once(child, 'close')
  clearTimeout(timer)
  return { exit, stdout, stderr }
}
