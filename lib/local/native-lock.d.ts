/** The only function that Bucket uses from a package without types. */
declare module 'fs-native-extensions' {
  /** Locks the whole file exclusively. @returns false when another descriptor, here or in another process, holds it. */
  export function tryLock(fd: number): boolean
}
