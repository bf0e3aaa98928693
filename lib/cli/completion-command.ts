/**
 * `bucket completion`: a script that completes commands and options in a shell, and leaves everything else to the shell's own
 * completion of files. The script names them itself, so that a Tab starts no process and evaluates nothing that was typed.
 */
import { Argument, type Command } from 'commander'
import type { CliContext } from './context.ts'
import { write } from './output.ts'
import { shellQuoted } from './shell-quote.ts'

export function addCompletionCommand(program: Command, { stdout }: CliContext): void {
  program
    .command('completion')
    .description('print a script that completes commands and options in a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      `
Examples:
  source <(bucket completion bash)                    in ~/.bashrc
  source <(bucket completion zsh)                     in ~/.zshrc, after compinit
  bucket completion fish > ~/.config/fish/completions/bucket.fish
  bucket completion pwsh | Out-String | Invoke-Expression    in $PROFILE`,
    )
    .action(async (shell: keyof typeof SCRIPTS) => {
      await write(stdout, SCRIPTS[shell](completionsOf(program)))
    })
}

interface Completion {
  readonly name: string
  readonly description: string
}

interface CommandCompletion extends Completion {
  readonly options: readonly (Completion & {
    readonly short: string | undefined
    readonly takesValue: boolean
  })[]
}

function completionsOf(program: Command): CommandCompletion[] {
  const commands = program.createHelp().visibleCommands(program)
  return commands
    .filter((command) => command.name() !== 'help')
    .map((command) => ({
      name: command.name(),
      description: command.description(),
      options: command
        .createHelp()
        .visibleOptions(command)
        .map(({ long, short, description, required }) => ({
          name: long ?? '',
          short: short ?? undefined,
          description,
          takesValue: required,
        })),
    }))
}

const names = (completions: readonly Completion[]): string => completions.map(({ name }) => name).join(' ')

function bash(commands: readonly CommandCompletion[]): string {
  const cases = commands.map(({ name, options }) => `    ${name}) options='${names(options)}' ;;\n`)
  return `# Completion of bucket for bash.
_bucket() {
  local current=\${COMP_WORDS[COMP_CWORD]} options=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${names(commands)} --help --version' -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('')}  esac
  case $current in
    -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
  esac
}
complete -o default -F _bucket bucket
`
}

function zsh(commands: readonly CommandCompletion[]): string {
  const described = (completions: readonly Completion[]) =>
    completions.map(({ name, description }) => shellQuoted(`${name}:${description}`)).join(' ')
  const cases = commands.map(({ name, options }) => `    ${name}) entries=(${described(options)}) ;;\n`)
  return `#compdef bucket
# Completion of bucket for zsh.
_bucket() {
  local -a entries
  if (( CURRENT == 2 )); then
    entries=(${described(commands)})
    _describe command entries
    return
  fi
  case $words[2] in
${cases.join('')}  esac
  if [[ $words[CURRENT] == -* ]]; then
    _describe option entries
  else
    _files
  fi
}
if [[ $funcstack[1] == _bucket ]]; then _bucket "$@"; else compdef _bucket bucket; fi
`
}

function fish(commands: readonly CommandCompletion[]): string {
  const text = (description: string) => `'${description.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const lines = commands.flatMap(({ name, description, options }) => [
    `complete -c bucket -n __fish_use_subcommand -f -a ${name} -d ${text(description)}`,
    ...options.map(
      ({ name: option, short, description: meaning, takesValue }) =>
        `complete -c bucket -n '__fish_seen_subcommand_from ${name}' -l ${option.slice(2)}${short ? ` -s ${short.slice(1)}` : ''}${takesValue ? ' -r' : ''} -d ${text(meaning)}`,
    ),
  ])
  return `# Completion of bucket for fish.\n${lines.join('\n')}\n`
}

function pwsh(commands: readonly CommandCompletion[]): string {
  const list = (completions: readonly Completion[]) => completions.map(({ name }) => `'${name}'`).join(', ')
  const cases = commands.map(({ name, options }) => `    '${name}' = @(${list(options)})\n`)
  return `# Completion of bucket for PowerShell.
Register-ArgumentCompleter -Native -CommandName bucket -ScriptBlock {
  param($word, $ast, $position)
  $options = @{
${cases.join('')}  }
  $typed = @($ast.CommandElements | ForEach-Object { $_.ToString() })
  $count = if ($word -eq '') { $typed.Count } else { $typed.Count - 1 }
  $offered = if ($count -le 1) { @(${list(commands)}) } elseif ($word -like '-*') { $options[$typed[1]] } else { @() }
  $offered | Where-Object { $_ -like "$word*" } | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}
`
}

const SCRIPTS = { bash, zsh, fish, pwsh } as const
