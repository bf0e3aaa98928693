/** The errors that commands throw. Their texts are in failure-text.ts, which loads only after a failure. */

/** The command line itself is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly next: string
  readonly title: string

  /** @param title what is wrong, such as `Unknown option --x`. */
  constructor(message: string, next: string, title: string) {
    super(message)
    this.next = next
    this.title = title
  }
}

/** The user stopped the command; the message is the name of the signal. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

/** A command that the user stopped could not stop in order, which is a failure of its own: `cause`. */
export class StopFailure extends Error {
  override readonly name = 'StopFailure'

  constructor(cause: unknown) {
    super('the stop failed', { cause })
  }
}

/** Some of the work of a command is done, and its `cause` ended the rest. With `--json` one document tells both. */
export class PartialFailure extends Error {
  override readonly name = 'PartialFailure'
  /** The document of the work that is done. */
  readonly done: object

  constructor(done: object, cause: unknown) {
    super('some of the work is done', { cause })
    this.done = done
  }
}

/** The command has printed everything; only its exit code is left. */
export class ExitError extends Error {
  override readonly name = 'ExitError'
  readonly exit: number

  constructor(exit: number) {
    super(`exit ${exit}`)
    this.exit = exit
  }
}
