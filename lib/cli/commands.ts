/** The commands by name. Their modules are light: each loads the client or a server's parts only when it runs. */
import type { Command } from 'commander'
import { addCheckCommand } from './check-command.ts'
import { addCompletionCommand } from './completion-command.ts'
import type { CliContext } from './context.ts'
import { addDataFolderCommands } from './data-folder-commands.ts'
import { addDigestCommand } from './digest-command.ts'
import { addDoctorCommand } from './doctor-command.ts'
import { addFolderCommands } from './folder-commands.ts'
import { addFsckCommand } from './fsck-command.ts'
import { addGetCommand } from './get-command.ts'
import { addListCommand } from './list-command.ts'
import { addMcpCommand } from './mcp-command.ts'
import { addProbeCommand } from './probe-command.ts'
import { addPutCommand } from './put-command.ts'
import { addServeCommand } from './serve-command.ts'
import { addShowCommand } from './show-command.ts'
import { addSkillCommand } from './skill-command.ts'
import { addUploadsCommand } from './uploads-command.ts'

/** Adds one command, or commands that share a module. */
type AddCommands = (program: Command, context: CliContext) => void

/** In the order of `bucket --help`. */
const COMMANDS: { readonly [name: string]: AddCommands } = {
  serve: addServeCommand,
  probe: addProbeCommand,
  put: addPutCommand,
  get: addGetCommand,
  push: addFolderCommands,
  pull: addFolderCommands,
  check: addCheckCommand,
  show: addShowCommand,
  list: addListCommand,
  uploads: addUploadsCommand,
  digest: addDigestCommand,
  fsck: addFsckCommand,
  backup: addDataFolderCommands,
  restore: addDataFolderCommands,
  ls: addDataFolderCommands,
  erase: addDataFolderCommands,
  mcp: addMcpCommand,
  skill: addSkillCommand,
  doctor: addDoctorCommand,
  completion: addCompletionCommand,
}

/**
 * Adds the command of this name. Adds all of them if no command has it, for help and for suggestions, and for `completion`, which
 * names them all.
 */
export function addCommands(program: Command, name: string | undefined, context: CliContext): void {
  const named = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  const adders = named && named !== addCompletionCommand ? [named] : new Set(Object.values(COMMANDS))
  for (const add of adders) add(program, context)
}
