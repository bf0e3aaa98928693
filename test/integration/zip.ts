/** A zip archive of one small file, stored without compression: the form in which Lambda takes code. */
import { crc32 } from 'node:zlib'

/** @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT sections 4.3.7, 4.3.12 and 4.3.16 */
export function zipOf(name: string, text: string): Buffer {
  const path = Buffer.from(name)
  const data = Buffer.from(text)
  const common = Buffer.alloc(26)
  common.writeUInt16LE(20, 0) // version needed; no flags, no compression, no time
  common.writeUInt16LE(0x21, 8) // 1980-01-01, the first date that there is
  common.writeUInt32LE(crc32(data), 10)
  common.writeUInt32LE(data.length, 14)
  common.writeUInt32LE(data.length, 18)
  common.writeUInt16LE(path.length, 22)
  const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, path, data])
  const attributes = Buffer.alloc(14)
  attributes.writeUInt32LE((0o100644 << 16) >>> 0, 6)
  const madeBy = Buffer.from([20, 3]) // Unix, so that the attributes above are its permissions
  const central = Buffer.concat([Buffer.from('PK\x01\x02', 'latin1'), madeBy, common, attributes, path])
  const end = Buffer.alloc(18)
  end.writeUInt16LE(1, 4)
  end.writeUInt16LE(1, 6)
  end.writeUInt32LE(central.length, 8)
  end.writeUInt32LE(local.length, 12)
  return Buffer.concat([local, central, Buffer.from('PK\x05\x06', 'latin1'), end])
}
