import { existsSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Makes `npx bucket` run the build of this checkout, at `root`. package.json doesn't name the command: npx would then install the
 * checkout into its cache, which builds it again, and compare both package trees at each start (decision 022).
 */
export function linkCommand(root) {
  const links = join(root, 'node_modules', '.bin')
  if (!existsSync(links)) return
  rmSync(join(links, 'bucket'), { force: true })
  symlinkSync('../../dist/bin/bucket.js', join(links, 'bucket'))
}
