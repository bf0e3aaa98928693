/** The data folder that a command without a server works on. */
import { stat } from 'node:fs/promises'
import type { Command } from 'commander'
import { CLI_ENVIRONMENT } from '../deployment/environment.ts'
import { errorCode } from '../flow/error-code.ts'
import type { CliContext } from './context.ts'
import { UsageError } from './failure.ts'

export interface DataDirOptions {
  readonly dataDir?: string
}

export const withDataDir = (command: Command): Command =>
  command.option(
    '--data-dir <folder>',
    `where artifacts are kept (env: ${CLI_ENVIRONMENT.dataDir}, default: .bucket)`,
  )

/** @returns the path of the data folder, which may not exist yet. */
export const dataDirOf = ({ dataDir }: DataDirOptions, { environment }: CliContext): string =>
  dataDir ?? (environment[CLI_ENVIRONMENT.dataDir] || '.bucket')

/** @throws UsageError if the data folder does not exist. */
export const existingDataDir = (options: DataDirOptions, context: CliContext): Promise<string> =>
  existingFolder(
    dataDirOf(options, context),
    'No data folder',
    `Name the folder of your server with --data-dir, or set ${CLI_ENVIRONMENT.dataDir}.`,
  )

/**
 * @param title and `next` of the refusal.
 * @returns the path.
 * @throws UsageError if it does not exist, or isn't a folder.
 */
export async function existingFolder(path: string, title: string, next: string): Promise<string> {
  const found = await stat(path).catch((error: unknown) => {
    const code = errorCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  })
  if (found?.isDirectory()) return path
  const name = JSON.stringify(path)
  throw new UsageError(found ? `${name} is a file` : `the folder ${name} does not exist`, next, title)
}
