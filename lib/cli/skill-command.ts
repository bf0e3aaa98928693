/** `bucket skill`: what an agent with a shell needs to know, as text for its folder of skills. */
import type { Command } from 'commander'
import type { CliContext } from './context.ts'
import { write } from './output.ts'

export function addSkillCommand(program: Command, context: CliContext): void {
  program
    .command('skill')
    .description('print SKILL.md, which tells an agent with a shell how to use this command')
    .option('--guide', 'print the whole guide for assistants instead')
    .addHelpText(
      'after',
      `
Examples:
  mkdir -p ~/.claude/skills/bucket && bucket skill > ~/.claude/skills/bucket/SKILL.md
  bucket skill --guide`,
    )
    .action(async ({ guide }: { guide?: boolean }) => {
      const document = guide ? 'docs/for-assistants.md' : 'docs/skill/SKILL.md'
      await write(context.stdout, await context.readDocument(document))
    })
}
