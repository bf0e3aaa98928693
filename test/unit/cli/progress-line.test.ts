import { describe, expect, it } from 'vitest'
import { progressLine } from '../../../lib/cli/progress-line.ts'

function show(isTTY: boolean, columns = 70) {
  let now = 0
  let text = ''
  const stream = { isTTY, columns, write: (written: string) => (text += written) }
  const line = progressLine(stream, { now: () => now })
  return {
    line,
    at(ms: number, bytes: number, phase: 'hashing' | 'uploading' | 'verifying' = 'uploading', sent = bytes) {
      now = ms
      const before = text.length
      line.report({ phase, bytes, total: 1024 ** 3, sent })
      return text.slice(before)
    },
    clear() {
      const before = text.length
      line.clear()
      return text.slice(before)
    },
  }
}

describe('progress', () => {
  it('is a live line on a terminal, after a moment, with phase, bytes, rate and time left', () => {
    const { at, clear } = show(true)
    expect(at(0, 0)).toBe('')
    const drawn = at(1000, 256 * 1024 ** 2)
    expect(drawn).toMatch(/^\ruploading {2}256\.0 MiB of 1\.0 GiB {2}25 % {2}256\.0 MiB\/s {2}3 s left/)
    expect(drawn.length).toBeLessThan(80)
    expect(at(1050, 300 * 1024 ** 2)).toBe('')
    expect(at(1060, 0, 'verifying')).toContain('verifying…')
    expect(clear()).toBe('\r\x1b[K')
  })

  it('counts acknowledged bytes, and shows the sent bytes in brackets', () => {
    const { at } = show(true)
    at(0, 0)
    expect(at(1000, 0, 'uploading', 5 * 1024 ** 2)).toMatch(/0 B of 1\.0 GiB {2}0 % {2}\(5\.0 MiB sent\)/)
  })

  it('excludes earlier bytes from the rate', () => {
    const { at } = show(true)
    at(0, 512 * 1024 ** 2)
    expect(at(1000, 576 * 1024 ** 2)).toContain('64.0 MiB/s')
  })

  it('shows the progress of a verification if it is known', () => {
    const { at } = show(true)
    at(0, 0, 'verifying')
    expect(at(1000, 256 * 1024 ** 2, 'verifying')).toMatch(
      /verifying {2}(\[.*\] {2})?256\.0 MiB of 1\.0 GiB {2}25 %/,
    )
  })

  it('leaves out the bar first and the time left last as the terminal narrows', () => {
    const widths = [100, 70, 45, 20].map((columns) => {
      const { at } = show(true, columns)
      at(0, 0)
      return at(1000, 256 * 1024 ** 2)
        .replace('\r', '')
        .replace('\x1b[K', '')
    })
    expect(widths[0]).toContain('[=====               ]')
    expect(widths[1]).not.toContain('[')
    expect(widths[2]).not.toContain('of 1.0 GiB')
    expect(widths[2]).toContain('256.0 MiB/s')
    expect(widths[3]).toBe('3 s left')
  })

  it('shows why the transfer waits', () => {
    const { at, line } = show(true, 90)
    at(0, 0)
    at(1000, 256 * 1024 ** 2)
    expect(line.wait('waiting for the server, attempt 3')).toBeUndefined()
    expect(at(2000, 300 * 1024 ** 2)).not.toContain('waiting')
  })

  it('is a line every few seconds elsewhere, and nothing for short transfers', () => {
    const { at, clear } = show(false)
    expect([at(0, 0), at(4000, 10)]).toEqual(['', ''])
    expect(at(5000, 512 * 1024 ** 2, 'hashing')).toMatch(/^hashing .* 50 %.*\n$/)
    expect(at(6000, 600 * 1024 ** 2, 'hashing')).toBe('')
    expect(clear()).toBe('')
  })
})
