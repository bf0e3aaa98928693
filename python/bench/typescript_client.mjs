// The TypeScript client as a floor of the measurements of the Python client. Run by its benches, with `node --import tsx`:
// typescript_client.mjs URL put REF FILE | download REF FILE | get REF | small REF COUNT; prints the seconds of the call alone.
import { BucketClient } from '../../lib/client/node.ts'

const [url, what, ref, more] = process.argv.slice(2)
const bucket = new BucketClient({ url })
const AT_ONCE = 64

const read = async () => {
  for await (const _ of await bucket.get(ref));
}

const small = async () => {
  let left = Number(more)
  const work = async () => {
    while (left-- > 0) await read()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}

const calls = {
  put: () => bucket.put(ref, more),
  download: () => bucket.download(ref, more),
  get: read,
  small,
}
const began = performance.now()
await calls[what]()
console.log((performance.now() - began) / 1000)
