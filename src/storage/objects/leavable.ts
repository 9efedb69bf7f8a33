// Streams whose reader may leave at any time: what they wait for ends at once then, and not when bytes come.
import { Readable } from 'node:stream'

/** `leave` ends what the chunks wait for. A stream made of a generator would first wait for the chunk that is asked for. */
export function leavable (chunks: AsyncIterable<Buffer>, leave: () => void): Readable {
  const stream = Readable.from(chunks, { objectMode: false })
  const end = stream._destroy.bind(stream)
  stream._destroy = (error, done) => {
    leave()
    end(error, done)
  }
  return stream
}

/** Each is opened when the one before it has ended. */
export function oneAfterOther (opens: Iterable<() => Promise<Readable>>): Readable {
  let current: Readable | undefined

  async function * chunks (): AsyncGenerator<Buffer> {
    for (const open of opens) {
      current = await open()
      if (stream.destroyed) current.destroy()
      yield * current
    }
  }

  const stream = leavable(chunks(), () => current?.destroy())
  return stream
}
