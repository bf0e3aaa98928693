/** Instrumentation of ports, in one place and outside of the rules. */

/** Records how long a wait took. `phase` is its name in `Server-Timing`. */
export type Timer = <T>(phase: string, wait: Promise<T>) => Promise<T>

/** The same port, with every call timed under one phase. */
export const observe = <P extends object>(port: P, phase: string, time: Timer): P =>
  new Proxy(port, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => {
        const result: unknown = Reflect.apply(member, target, args)
        return result instanceof Promise ? time(phase, result) : result
      }
    },
  })
