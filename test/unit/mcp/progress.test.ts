/** Progress notifications: one growing number over all phases, not more often than a client can show. */
import { beforeEach, describe, expect, it } from 'vitest'
import { type ProgressReport, progressReports } from '../../../lib/mcp/progress.ts'

let reports: ProgressReport[]
let time: number
let report: ReturnType<typeof progressReports>
beforeEach(() => {
  reports = []
  time = 0
  report = progressReports(
    (one) => reports.push(one),
    () => time,
  )
})

describe('the progress of a call', () => {
  it('grows over the phases of a store, towards a total that counts both readings', () => {
    report({ phase: 'hashing', bytes: 100, total: 100 })
    report({ phase: 'uploading', bytes: 40, total: 100 })
    report({ phase: 'uploading', bytes: 100, total: 100 })
    report({ phase: 'committed', bytes: 100, total: 100 })
    expect(reports).toEqual([
      { progress: 100, total: 200, message: 'hashing: 100 of 100 bytes' },
      { progress: 140, total: 200, message: 'uploading: 40 of 100 bytes' },
      { progress: 200, total: 200, message: 'uploading: 100 of 100 bytes' },
    ])
  })

  it('never falls when a broken connection costs bytes', () => {
    for (const bytes of [50, 20, 60]) {
      report({ phase: 'downloading', bytes, total: 100 })
      time += 1000
    }
    expect(reports.map(({ progress }) => progress)).toEqual([50, 60])
  })

  it('is reported at most four times a second, and always at the end of a phase', () => {
    for (let bytes = 1; bytes <= 100; bytes++) {
      report({ phase: 'downloading', bytes, total: 100 })
      time += 10
    }
    expect(reports.map(({ progress }) => progress)).toEqual([1, 26, 51, 76, 100])
  })

  it('tells files where there are several', () => {
    report({ phase: 'uploading', bytes: 5, total: 9, files: { done: 1, total: 3 } })
    expect(reports[0]?.message).toBe('uploading: 5 of 9 bytes, 1 of 3 files')
  })
})
