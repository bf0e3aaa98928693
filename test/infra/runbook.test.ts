/** Each alarm has a section in the runbook with a description, an investigation and a resolution. */
import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { ALARM_KINDS } from '../../lib/infra/alarm-rules.ts'

const runbook = await readFile('docs/operations.md', 'utf8')

it.each(ALARM_KINDS)('alarm-%s has a description, an investigation and a resolution', (kind) => {
  const [, section = ''] = runbook.split(`\n### alarm-${kind}\n`)
  const [text = ''] = section.split(/\n##+ /)
  for (const part of ['Description', 'Investigation', 'Resolution']) expect(text).toContain(`**${part}.**`)
})
