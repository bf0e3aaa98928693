/**
 * A stream of bytes that are in memory already: its reader may take them without the cost of an iteration.
 * An empty array is a stream without a chunk.
 */
export class WholeBytes implements AsyncIterable<Uint8Array> {
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.bytes.byteLength > 0) yield this.bytes
  }
}
