/**
 * Prints every failed test of a run by name, with the first lines of its error. The argument is a folder: `*.json` are reports of
 * Vitest; in `*.out`, the output of the other checks, a failure is a line that begins with FAILED, FAIL or ERROR, with its error indented
 * below it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

const LINES = 8
const [folder = '.'] = process.argv.slice(2)

const indented = (text) =>
  stripVTControlCharacters(text)
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, LINES)
    .map((line) => `    ${line.trimStart()}`)

function* ofVitest({ testResults }) {
  for (const { name, status, message, assertionResults } of testResults) {
    const file = relative('.', name)
    const failed = assertionResults.filter((test) => test.status === 'failed')
    for (const { fullName, failureMessages } of failed)
      yield [`${file}: ${fullName}`, ...indented(failureMessages.join('\n'))]
    // A file that did not load, or whose hooks failed, has no failed test.
    if (status === 'failed' && failed.length === 0) yield [file, ...indented(message)]
  }
}

function* ofOutput(text) {
  const lines = stripVTControlCharacters(text).split('\n')
  for (const [at, line] of lines.entries()) {
    const [, indent = '', heading] = /^( *)(?:FAILED|FAIL|ERROR)\b:? +(.*)$/.exec(line) ?? []
    if (heading === undefined) continue
    const below = lines.slice(at + 1)
    const end = below.findIndex((other) => other.search(/\S/) <= indent.length)
    yield [heading, ...indented(below.slice(0, end === -1 ? undefined : end).join('\n'))]
  }
}

for (const name of readdirSync(folder).sort()) {
  const text = () => readFileSync(join(folder, name), 'utf8')
  const failures = name.endsWith('.json')
    ? ofVitest(JSON.parse(text()))
    : name.endsWith('.out')
      ? ofOutput(text())
      : []
  for (const [heading, ...lines] of failures) console.log([`  ${heading}`, ...lines].join('\n'))
}
