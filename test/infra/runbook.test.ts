/** Whoever is woken by an alarm finds a section about it, with the three things to be known. */
import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { ALARM_KINDS } from '../../lib/infra/alarms.ts'

const runbook = await readFile('docs/operations.md', 'utf8')

it.each(ALARM_KINDS)('alarm-%s says what it means, where to look and what to do', (kind) => {
  const [, section = ''] = runbook.split(`\n### alarm-${kind}\n`)
  const [text = ''] = section.split(/\n##+ /)
  for (const part of ['Description', 'Investigation', 'Resolution']) expect(text).toContain(`**${part}.**`)
})
