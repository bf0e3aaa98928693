/** Parses and prints sizes for people, in binary units, like the limits of Bucket. */
import { err, ok, type Result } from '../domain/result.ts'

const UNITS: { readonly [unit: string]: number } = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
}

/** @returns bytes: `5GiB`, `1.5 MiB`, `200MB`, `1024`. */
export function parseSize(text: string): Result<number> {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? []
  const factor = UNITS[(unit ?? '').toUpperCase()]
  const bytes = Math.round(Number(number) * (factor ?? Number.NaN))
  return Number.isSafeInteger(bytes) && bytes > 0
    ? ok(bytes)
    : err(`${JSON.stringify(text)} is not a size above 0: write 5GiB, 200MB, or a number of bytes`)
}

const SECONDS: { readonly [unit: string]: number } = { ms: 0.001, s: 1, m: 60, min: 60, h: 3600 }

/** @returns milliseconds: `30s`, `5m`, `1.5h`, `500ms`; a bare number counts seconds. */
export function parseDuration(text: string): Result<number> {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? []
  const ms = Math.round(Number(number) * 1000 * (SECONDS[(unit || 's').toLowerCase()] ?? Number.NaN))
  return Number.isSafeInteger(ms) && ms > 0
    ? ok(ms)
    : err(`${JSON.stringify(text)} is not a duration: write 30s, 5m or 1h`)
}

/** `1.5 MiB`; whole bytes below 1 KiB. */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  const steps = Math.min(4, Math.floor(Math.log2(bytes) / 10))
  return `${(bytes / 2 ** (10 * steps)).toFixed(1)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][steps]}`
}

/** `8 s`, `3 min`, `2 h 5 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** A number of things, such as `1 entry` and `2 entries`. */
export const count = (number: number, one: string, many: string): string =>
  `${number} ${number === 1 ? one : many}`
