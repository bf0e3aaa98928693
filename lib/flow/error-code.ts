/**
 * The code of a failure, such as `ENOENT` of a system call.
 *
 * @returns undefined for a failure without a code.
 */
export const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

/** The message of a system error: `ENOENT: no such file or directory, open 'x'`. */
const SYSTEM_MESSAGE = /^[A-Z0-9]+: (.+?), \w+(?: '(.*?)')?(?: -> '.*')?$/s

/** The path and the reason of a system error, without the names of error and system call; the message of any other error. */
export function systemReason({ message }: Error): string {
  const [, reason, path] = SYSTEM_MESSAGE.exec(message) ?? []
  if (reason === undefined) return message
  return path === undefined ? reason : `${JSON.stringify(path)}: ${reason}`
}
