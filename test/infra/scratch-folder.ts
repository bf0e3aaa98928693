/** Each synthesis writes a folder of its own that the CDK leaves behind: all of them go where they can be removed at the end. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'bucket-infra-'))
  process.env.TMPDIR = folder
  return () => rmSync(folder, { recursive: true })
}
