import { describe, expect, it } from 'vitest'
import { formatDuration, formatSize, parseSize } from '../../../lib/cli/sizes.ts'

describe('sizes', () => {
  it('are parsed as people write them', () => {
    const read = (text: string) => {
      const size = parseSize(text)
      return size.ok ? size.value : undefined
    }
    expect(['5GiB', '1.5 MiB', '200MB', '1024', '7b', '1 tib'].map(read)).toEqual([
      5 * 1024 ** 3,
      1.5 * 1024 ** 2,
      200_000_000,
      1024,
      7,
      1024 ** 4,
    ])
    expect(['', '0', '0.4', '-1', '5 GiBs', '1e9', '99999999TiB', 'GiB'].map(read)).toEqual(
      Array(8).fill(undefined),
    )
  })

  it('are written in binary units, and times in useful precision', () => {
    expect([0, 1023, 1024, 5 * 1024 ** 3].map(formatSize)).toEqual(['0 B', '1023 B', '1.0 KiB', '5.0 GiB'])
    expect([0.2, 89, 600, 7500].map(formatDuration)).toEqual(['1 s', '89 s', '10 min', '2 h 5 min'])
  })
})
