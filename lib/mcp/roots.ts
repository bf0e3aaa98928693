/**
 * The folders that tools may read and write. A path is judged by where it leads, not by its text: a symlink inside a root that
 * leads outside is refused. On Linux the judgement is about the file that is open, and files are written below a folder that is
 * open, so another process that replaces a folder by a symlink in between redirects nothing. Other systems cannot tell the path
 * of an open file; there the path is resolved first and compared with the file afterwards.
 */
import { constants } from 'node:fs'
import { type FileHandle, lstat, open, readlink, realpath, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'

/** A path that no tool may use. */
export class RootError extends Error {
  override readonly name = 'RootError'
  readonly next: string

  constructor(message: string, next: string) {
    super(message)
    this.next = next
  }
}

/** A place for a new file or folder. */
export interface Target {
  /** For the client. It leads to an open folder and is valid only during the call. */
  readonly path: string
  /** For people: the real path. */
  readonly realPath: string
  /** Replaces the first by the second in a text. */
  shown(text: string): string
}

/**
 * @returns the current folder as the only root, or none if it is too wide to be meant: the root of the file system, the home
 * folder, or a folder above it. Programs that start servers often choose one of these.
 */
export function defaultRoots(currentFolder: string, homeFolder: string): readonly string[] {
  return contains(currentFolder, homeFolder) ? [] : [currentFolder]
}

const contains = (folder: string, path: string): boolean => {
  const way = relative(folder, path)
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

interface Root {
  readonly given: string
  readonly real: string
}

export class Roots {
  readonly #roots: readonly Root[]

  private constructor(roots: readonly Root[]) {
    this.#roots = roots
  }

  /** @throws the system's error for a folder that does not exist; RootError for a file. */
  static async open(folders: readonly string[]): Promise<Roots> {
    const roots: Root[] = []
    for (const folder of folders) {
      const real = await realpath(folder)
      if (!(await stat(real)).isDirectory())
        throw new RootError(`${JSON.stringify(folder)} is a file`, 'Name a folder with --root.')
      roots.push({ given: resolve(folder), real })
    }
    return new Roots(roots)
  }

  /** Real paths. */
  get folders(): readonly string[] {
    return this.#roots.map(({ real }) => real)
  }

  /**
   * Opens a regular file for reading.
   *
   * @param path absolute, or relative to the first root.
   * @throws RootError outside of the roots, and for what is not a regular file; the system's error.
   */
  async openFile(path: string): Promise<FileHandle> {
    const asked = this.#absolute(path)
    this.#check(await realpath(asked), path)
    // Opening a pipe would wait for its writer.
    const handle = await open(asked, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      this.#check(await pathOf(handle, asked), path)
      const found = await handle.stat()
      if (found.isFile()) return handle
      throw new RootError(
        `${JSON.stringify(path)} is ${found.isDirectory() ? 'a folder' : 'a device, a pipe or a socket'}`,
        found.isDirectory() ? 'Store a folder with push_folder.' : 'Name a regular file.',
      )
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /**
   * @returns the real path of a folder. Its files must still be opened with `openFile`.
   * @throws RootError outside of the roots; the system's error.
   */
  async readableFolder(path: string): Promise<string> {
    const real = await realpath(this.#absolute(path))
    this.#check(real, path)
    return real
  }

  /**
   * Gives a place for a new file or folder to `use`, and keeps its folder open meanwhile.
   *
   * @throws RootError outside of the roots, and for a symlink; the system's error if the folder does not exist; what `use` throws.
   */
  async withTarget<T>(path: string, use: (target: Target) => Promise<T>): Promise<T> {
    const asked = this.#absolute(path)
    if (this.#roots.some(({ given, real }) => asked === given || asked === real))
      throw new RootError(`${JSON.stringify(path)} is a root itself`, 'Name a file or folder inside of it.')
    const parent = dirname(asked)
    this.#check(await realpath(parent), path)
    const handle = await open(parent, constants.O_RDONLY | constants.O_DIRECTORY)
    try {
      const real = await pathOf(handle, parent)
      this.#check(real, path)
      const opened = process.platform === 'linux' ? openedPath(handle) : real
      const found = await lstat(join(opened, basename(asked))).catch(() => undefined)
      if (found?.isSymbolicLink())
        throw new RootError(
          `${JSON.stringify(path)} is a symlink`,
          'Name the path to which it leads, or a new one.',
        )
      const shown = (text: string) => text.replaceAll(opened, real)
      try {
        return await use({
          path: join(opened, basename(asked)),
          realPath: join(real, basename(asked)),
          shown,
        })
      } catch (error) {
        if (error instanceof Error) error.message = shown(error.message)
        throw error
      }
    } finally {
      await handle.close()
    }
  }

  /** The path of a request, before it is resolved by the system. */
  #absolute(path: string): string {
    const [first] = this.#roots
    if (!first)
      throw new RootError(
        'this server was started without a folder that tools may use',
        'Ask the user to start it with --root FOLDER. store_text, fetch_text and show_entry need no folder.',
      )
    if (path === '' || path.includes('\0'))
      throw new RootError(`${JSON.stringify(path)} is not a path`, 'Name a file or folder inside of a root.')
    const asked = resolve(first.real, path)
    if (this.#roots.some(({ given, real }) => contains(real, asked) || contains(given, asked))) return asked
    throw this.#outside(path)
  }

  #check(real: string, path: string): void {
    if (!this.#roots.some((root) => contains(root.real, real))) throw this.#outside(path)
  }

  #outside(path: string): RootError {
    return new RootError(
      `${JSON.stringify(path)} leads outside of the folders that this server may use`,
      `Use a path inside of ${this.folders.join(' or ')}. Only the user can allow another folder, with --root.`,
    )
  }
}

const openedPath = ({ fd }: FileHandle): string => `/proc/self/fd/${fd}`

/** Where an open file is. @throws RootError if its path was changed meanwhile. */
async function pathOf(handle: FileHandle, path: string): Promise<string> {
  if (process.platform === 'linux') return await readlink(openedPath(handle))
  const real = await realpath(path)
  const [opened, named] = await Promise.all([handle.stat({ bigint: true }), stat(real, { bigint: true })])
  if (opened.dev === named.dev && opened.ino === named.ino) return real
  throw new RootError(`${JSON.stringify(path)} changed while it was opened`, 'Call the tool again.')
}
