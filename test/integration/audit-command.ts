/** `npm run audit` as a process. */
import { execFile } from 'node:child_process'

/** @returns its exit status, and its lines as documents. */
export function audit(...options: string[]): Promise<{ exit: number; lines: unknown[] }> {
  const args = ['--import', 'tsx', 'bin/audit.ts', '--json', ...options]
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: 60_000 }, (error, stdout) => {
      const lines = stdout.split('\n').filter(Boolean)
      resolve({ exit: Number(error?.code ?? 0), lines: lines.map((line) => JSON.parse(line)) })
    })
  })
}
