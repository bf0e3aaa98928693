/** `npm run language [-- PATH…]`: checks that our texts are free of the phrases in patterns.ts. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { scan } from './scan.ts'

/** Texts of others, and data. */
const NOT_OURS = /^LICENSE$|package-lock\.json$|\.(?:gz|png|svg|whl|zip)$|^test\/language\//

const tracked = execFileSync('git', ['ls-files', '-z', '--', ...process.argv.slice(2)], {
  encoding: 'utf8',
}).split('\0')
const files = tracked.filter((path) => existsSync(path) && !NOT_OURS.test(path))

let findings = 0
for (const path of files)
  for (const { line, text, instead } of scan(readFileSync(path, 'utf8'))) {
    findings += 1
    process.stdout.write(`${path}:${line}: "${text}". Instead: ${instead}\n`)
  }
if (findings > 0) {
  process.stdout.write(`${findings} phrases to rewrite in ${files.length} files\n`)
  process.exitCode = 1
}
