/** The exit codes of the commands (the table in docs/cli.md). Scripts rely on them: a number never changes its meaning. */

export const EXIT = {
  done: 0,
  unexpected: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  digestMismatch: 5,
  tooLarge: 6,
  unavailable: 7,
  unauthorized: 8,
} as const

/** The convention of shells: 128 plus the number of the signal. */
export const SIGNAL_EXIT = { SIGHUP: 129, SIGINT: 130, SIGPIPE: 141, SIGTERM: 143 } as const
