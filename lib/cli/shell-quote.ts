/** A text in single quotes, as POSIX shells, bash and zsh read it. */
export const shellQuoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
