/** Commands that take several files or refs: one after the other, with one document for all of them. */
import { PartialFailure } from './failure.ts'

/**
 * Runs a command for each argument, and stops at the first failure.
 *
 * @param member of the document that lists the results of several arguments.
 * @param run returns the document of one argument, if it has one.
 * @returns the document for `--json`: that of the only argument, or the list.
 * @throws PartialFailure with the list, if one of several arguments fails; the failure of the only argument.
 */
export async function runForEach<T>(
  given: readonly T[],
  member: string,
  run: (argument: T) => Promise<object | undefined>,
): Promise<object | undefined> {
  const done: object[] = []
  for (const argument of given) {
    try {
      const document = await run(argument)
      if (document !== undefined) done.push(document)
    } catch (error) {
      if (given.length === 1) throw error
      if (!(error instanceof PartialFailure)) throw new PartialFailure({ [member]: done }, error)
      throw new PartialFailure({ [member]: [...done, error.done] }, error.cause)
    }
  }
  return given.length === 1 ? done[0] : { [member]: done }
}
