/**
 * The verifier's memory as the kernel counts it. Both emulators run a function's environment as a process of this machine, which is
 * recognized by a variable that only the verifier gets.
 */
import { readdir, readFile } from 'node:fs/promises'
import { LAMBDA_ENVIRONMENT } from '../../lib/deployment/environment.ts'
import { given } from './given.ts'

/** @returns the most that any environment of this run's verifier ever had in memory, in bytes; undefined where none is seen. */
export async function verifierPeakBytes(): Promise<number | undefined> {
  const told = `${LAMBDA_ENVIRONMENT.stagingBucket}=${given().deployment.stagingBucket}`
  const peaks: number[] = []
  for (const pid of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(pid)) continue
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '') // ended meanwhile, or another user's
    const variables = environment.split('\0')
    if (!variables.includes(told)) continue
    if (!variables.some((variable) => variable.startsWith(`${LAMBDA_ENVIRONMENT.deadLetterQueueArn}=`)))
      continue
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? []
    if (kilobytes !== undefined) peaks.push(Number(kilobytes) * 1024)
  }
  return peaks.length === 0 ? undefined : Math.max(...peaks)
}
