/**
 * The code of a failure, such as `ENOENT` of a system call.
 *
 * @returns undefined when it has none.
 */
export const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
