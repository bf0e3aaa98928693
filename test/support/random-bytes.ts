/** Bytes for artifacts of any size, and their digest as a client writes it. */
import { randomBytes } from 'node:crypto'
import { digestHex } from '../../lib/domain/digest.ts'
import { digestOf } from './fake-artifacts.ts'

export const someBytes = (size: number): Buffer => randomBytes(size)

export const sha256 = digestOf

export const sha256Hex = (bytes: Uint8Array): string => digestHex(digestOf(bytes))
