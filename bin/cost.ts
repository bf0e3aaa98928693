/** `npm run cost [-- --write]`: prints the cost tables, or writes them into docs/deployment.md. */
import { readFileSync, writeFileSync } from 'node:fs'
import { costTables } from '../lib/infra/cost.ts'

const PAGE = 'docs/deployment.md'

if (process.argv.includes('--write')) {
  const page = readFileSync(PAGE, 'utf8')
  const between = /(?<=<!-- npm run cost -->\n)[\s\S]*?(?=<!-- end of npm run cost -->)/
  if (!between.test(page)) throw new Error(`${PAGE} has no place for the output of npm run cost`)
  writeFileSync(PAGE, page.replace(between, `${costTables()}\n`))
} else process.stdout.write(`${costTables()}\n`)
