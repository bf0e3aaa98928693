/**
 * `node tools/archived-command.mjs write|remove`: the folder `command` of the package in the working directory. It exists only while npm
 * packs: where the archive is installed, npm links its file as the command `bucket` (`directories.bin` in package.json). A checkout has
 * a link of its own (`link-command.mjs`).
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'

const [action] = process.argv.slice(2)

rmSync('command', { recursive: true, force: true })
if (action === 'write') {
  mkdirSync('command')
  writeFileSync('command/bucket', "#!/usr/bin/env node\nimport '../dist/bin/bucket.js'\n", { mode: 0o755 })
}
