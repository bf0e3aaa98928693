/** Runs one command line: parses it, runs the command, and turns its result or error into text and an exit code. */
import { Command, CommanderError } from 'commander'
import { errorCode } from '../flow/error-code.ts'
import { addCommands } from './commands.ts'
import type { CliContext } from './context.ts'
import { EXIT, SIGNAL_EXIT } from './exit-codes.ts'
import { ExitError, Interrupted, PartialFailure, StopFailure, UsageError } from './failure.ts'
import { applyOutputKind, flush, outputKind, write } from './output.ts'

/**
 * @param args the arguments after the name of the program.
 * @returns the exit code, after all output was written.
 */
export async function run(args: readonly string[], context: CliContext): Promise<number> {
  const { signal, stdout, stderr } = context
  const program = createProgram(context)
  let outputError: unknown
  stdout.once('error', (error: unknown) => {
    outputError = error
  })
  // In `help COMMAND`, COMMAND may be mistyped.
  const asked = args[0] === 'help' && args.length > 1 ? args.slice(1) : args
  try {
    if (!isVersion(args)) addCommands(program, asked[0], context)
    await program
      .parseAsync(isKnown(program, asked) ? args : asked.slice(0, 1), { from: 'user' })
      .catch((error: unknown) => {
        // The help or the version was asked for.
        if (!(error instanceof CommanderError && error.exitCode === 0)) throw error
      })
    await flush(stdout)
    return EXIT.done
  } catch (thrown) {
    const { cause, done } = thrown instanceof PartialFailure ? thrown : { cause: thrown, done: undefined }
    // Any other error that follows from the user's stop is not a failure of its own.
    const ownError: unknown = cause instanceof StopFailure ? cause.cause : cause
    const error: unknown = signal.aborted && ownError === cause ? signal.reason : ownError
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage
    if (isClosedPipe(error)) return SIGNAL_EXIT.SIGPIPE
    if (error instanceof ExitError) return error.exit
    const texts = await import('./failure-text.ts')
    const { failureJson, failureText } = texts
    const describe = error === outputError ? texts.describeLostOutput : texts.describeFailure
    const described = describe(
      error instanceof CommanderError ? await usageError(error, asked, program) : error,
    )
    // A file that is gone at a stop is not an argument that was wrong.
    const exit =
      cause instanceof StopFailure && described.exit === EXIT.usage ? EXIT.unexpected : described.exit
    const failure = { ...described, exit }
    const { BUCKET_OUTPUT: kind } = context.environment
    // An agent reads one stream: the document says all that the text does. A user who stops a command knows why it ends.
    if (kind !== 'agent' && !(error instanceof Interrupted))
      stderr.write(failureText(failure, hasColor(context)))
    if (args.includes('--json') || kind === 'agent' || kind === 'json') {
      const document = { ...done, ...failureJson(failure) }
      await write(stdout, `${JSON.stringify(document)}\n`).catch(() => undefined) // stdout is closed
    }
    return failure.exit
  }
}

const isVersion = ([first]: readonly string[]): boolean => first === '-V' || first === '--version'

/** Whether stderr is a terminal that shows colours (https://no-color.org). */
const hasColor = ({ stderr, environment }: CliContext): boolean =>
  stderr.isTTY === true && !environment.NO_COLOR && environment.TERM !== 'dumb'

/** Printing help for an unknown command would hide that it was mistyped. */
const isKnown = ({ commands }: Command, [first = '']: readonly string[]): boolean =>
  first.startsWith('-') || first === 'help' || commands.some((command) => command.name() === first)

function createProgram(context: CliContext): Command {
  const { stdout, stderr, version } = context
  const program = new Command('bucket')
    .description(
      'Store bytes once under an exact reference, and fetch the same bytes, verified, at any time.',
    )
    .version(version, '-V, --version')
    .exitOverride()
    .hook('preAction', (_, command) => applyOutputKind(command, outputKind(context.environment)))
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      // The help if no command was given.
      writeErr: (text) => void stderr.write(text),
      // `run` prints errors, in their three parts.
      outputError: () => {},
    })
    .addHelpText(
      'after',
      `
A reference is bucket_id/artifact_id/version. \`bucket COMMAND --help\` shows examples.

Exit codes: 0 done, 1 unexpected, 2 usage, 3 not found, 4 conflict, 5 digest mismatch, 6 too large,
7 no answer or unavailable, 8 not authorized.`,
    )
  return program
}

async function usageError(
  { code, message }: CommanderError,
  args: readonly string[],
  { commands }: Command,
): Promise<UsageError> {
  const [problem = '', suggestion] = message.replace(/^error: /, '').split('\n')
  const [name = ''] = args
  const hint = suggestion ? `${suggestion.replace(/^\(|\)$/g, '')} ` : ''
  if (code === 'commander.unknownCommand') {
    const title = `Unknown command "${name}"`
    const { FOREIGN_WORDS } = await import('./foreign-words.ts')
    const foreign = Object.hasOwn(FOREIGN_WORDS, name) ? FOREIGN_WORDS[name] : undefined
    if (foreign) return new UsageError(foreign.why, foreign.next, title)
    const names = commands.map((command) => command.name()).join(', ')
    return new UsageError(`the commands are ${names}`, `${hint}See \`bucket --help\`.`, title)
  }
  const command = commands.find((each) => each.name() === name)
  const [, subject = ''] = /'([^' ]+)[^']*'/.exec(problem) ?? []
  const title = (TITLES[code] ?? (() => 'Invalid command line'))(subject)
  if (!command)
    return new UsageError(problem, `${hint}Write options after the command. See \`bucket --help\`.`, title)
  // The title says what is wrong, so the reason says what is expected.
  const usage = `usage: bucket ${name} ${command.usage()}`
  const isSaid = code !== 'commander.excessArguments' && code !== 'commander.invalidArgument'
  const next =
    EXCESS[name] && code === 'commander.excessArguments' ? EXCESS[name] : `See \`bucket ${name} --help\`.`
  return new UsageError(isSaid ? usage : `${problem.replace(/\.$/, '')}; ${usage}`, hint + next, title)
}

/** By the code of Commander; each takes the option or argument that the message names. */
const TITLES: { readonly [code: string]: (subject: string) => string } = {
  'commander.unknownOption': (option) => `Unknown option ${option}`,
  'commander.missingArgument': (argument) => `Missing argument <${argument}>`,
  'commander.optionMissingArgument': (option) => `Missing value of ${option.replace(/,$/, '')}`,
  'commander.excessArguments': () => 'Too many arguments',
  'commander.invalidArgument': (value) => `Invalid value ${value}`,
}

/** Commands whose name means something else in other tools. */
const EXCESS: { readonly [name: string]: string } = {
  ls: 'To list the versions of an artifact, use `bucket list BUCKET_ID/ARTIFACT_ID`. `ls` lists a data folder (--data-dir).',
}

/** The reader of stdout closed it (`bucket list … | head`), which is not a failure. */
const isClosedPipe = (error: unknown): boolean => errorCode(error) === 'EPIPE'
