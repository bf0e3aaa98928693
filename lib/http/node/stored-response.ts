/** The response to a plain store as one text. Everything that is the same for each store is encoded once, by the general encoders. */
import type { Digest } from '../../domain/digest.ts'
import type { Entry } from '../../domain/entry.ts'
import { parseRef } from '../../domain/refs.ts'
import { entryMessage } from '../../protocol/entry-message.ts'
import { versionPath } from '../../protocol/routes.ts'
import { commonHeaders, encodeReply } from '../respond.ts'
import { SLOT } from '../slots.ts'
import { httpDateNow } from '../time-texts.ts'
import { entryHeaders } from '../write-handlers.ts'
import { encodeHead } from './whole-response.ts'

const slot = (name: keyof Values) => `${SLOT}.${name}`

/** The parts of a head that differ. */
interface Values {
  readonly location: string
  readonly digest: string
  readonly requestId: string
  readonly timing: string
  readonly length: string
  readonly date: string
}

/** Texts and names of values in turn. */
const HEAD = headOf({
  ref: parseRef('bucket/artifact/version'),
  digest: slot('digest') as Digest,
  size: 0,
  contentType: '',
  uploadedBy: null,
  provenanceSource: null,
  createdAt: '',
}).split(new RegExp(`${SLOT}\\.(\\w+)`))

/** @param entry with a slot in place of its digest. */
function headOf(entry: Entry): string {
  const reply = {
    status: 201,
    headers: { ...entryHeaders(entry), Location: slot('location') },
    content: entry,
  }
  const { headers } = encodeReply('store', reply, { headers: { get: () => null } }, { requestId: '' })
  const common = commonHeaders(slot('requestId'), slot('timing'))
  return encodeHead(201, { ...headers, ...common, 'Content-Length': slot('length') }, slot('date'))
}

/**
 * @param timing for `Server-Timing`.
 * @returns head and content, for `sendWhole`. An entry is ASCII, so each character is a byte.
 */
export function storedResponse(entry: Entry, requestId: string, timing: string): string {
  const body = JSON.stringify(entryMessage(entry))
  const values: Values = {
    location: versionPath(entry.ref),
    digest: entry.digest,
    requestId,
    timing,
    length: String(body.length),
    date: httpDateNow(),
  }
  let text = ''
  let isName = false
  for (const part of HEAD) {
    text += isName ? values[part as keyof Values] : part
    isName = !isName
  }
  return text + body
}
