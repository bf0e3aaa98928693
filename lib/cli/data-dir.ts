/** The data folder that a command without a server works on. */
import { stat } from 'node:fs/promises'
import type { Command } from 'commander'
import { CLI_ENVIRONMENT } from '../deployment/environment.ts'
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
export async function existingDataDir(options: DataDirOptions, context: CliContext): Promise<string> {
  const path = dataDirOf(options, context)
  const found = await stat(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  })
  if (found?.isDirectory()) return path
  throw new UsageError(
    found ? `${JSON.stringify(path)} is a file` : `the folder ${JSON.stringify(path)} does not exist`,
    `Name the folder of your server with --data-dir, or set ${CLI_ENVIRONMENT.dataDir}.`,
    'No data folder',
  )
}
