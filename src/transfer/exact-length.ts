// Holds a stream of stored bytes to the Content-Length that was announced for it.
import { Transform } from 'node:stream'
import { StorageUnavailable } from '../errors.ts'

/**
 * Passes on exactly `length` bytes, else fails with StorageUnavailable. Node itself would end a short answer as if it were whole, and the
 * client would take the head of the next one for the missing bytes.
 */
export function exactLength (length: number): Transform {
  let left = length
  return new Transform({
    transform (chunk: Buffer, _encoding, done) {
      left -= chunk.length
      if (left < 0) return done(mismatch(length))
      done(null, chunk)
    },
    flush (done) {
      done(left > 0 ? mismatch(length) : null)
    },
  })
}

function mismatch (length: number): Error {
  return new StorageUnavailable({ cause: new Error(`the stored bytes are not the ${length} that were announced`) })
}
