/** Documents of the package: next to `bin/` in a checkout, and next to `dist/` in the package. */
import { readFile } from 'node:fs/promises'

/** @param path from the root of the package, such as `docs/for-assistants.md`. @throws the system's error. */
export async function readDocument(path: string): Promise<string> {
  const root = new URL(import.meta.url.endsWith('.ts') ? '../' : '../../', import.meta.url)
  return await readFile(new URL(path, root), 'utf8')
}
