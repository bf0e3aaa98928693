/** `npm run language`: checks that our texts are free of the phrases in patterns.ts. Arguments are the paths to check; `.` is all. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { scan } from './scan.ts'

/** Texts of others, and data. */
const NOT_OURS = /^LICENSE$|package-lock\.json$|\.(?:gz|png|svg|whl|zip)$|^test\/language\//

/** Paths whose texts have been rewritten; each area adds its own, one per line, until the list is the whole tree. */
const CLEAN = readFileSync('test/language/clean.txt', 'utf8').trim().split('\n')

const args = process.argv.slice(2)
if (args.length === 0) args.push(...CLEAN)
const tracked = execFileSync('git', ['ls-files', '-z', '--', ...args], { encoding: 'utf8' }).split('\0')
const files = tracked.filter((path) => path !== '' && !NOT_OURS.test(path))

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
