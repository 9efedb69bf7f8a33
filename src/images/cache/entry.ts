// A variant as the cache hands it out: what it is, and its bytes from memory. Those in a file are read in entry-file.ts.
import { hash, createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import type { ByteRange } from '../../storage/store.ts'
import type { Rendered } from '../types.ts'

export type Facts = {
  /** Bytes. */
  readonly size: number
  /** Lower-case hex. */
  readonly sha256: string
  readonly contentType: string
  /** Pixels. */
  readonly width: number
  readonly height: number
}

export type Entry = Facts & {
  /** Where they are in memory. */
  readonly bytes?: Buffer
  /**
   * The bytes, or a range of them.
   * @throws StorageUnavailable when a file that was there is gone or another one: make the variant anew
   */
  read (range?: ByteRange): Promise<Readable>
}

export const entryOf = (facts: Facts, bytes: Buffer): Entry => ({
  ...facts,
  bytes,
  read: async (range) => Readable.from(range === undefined ? bytes : bytes.subarray(range.start, range.end + 1), { objectMode: false }),
})

export async function factsOf ({ bytes, contentType, width, height }: Rendered): Promise<Facts> {
  return { size: bytes.length, sha256: await sha256Of(bytes), contentType, width, height }
}

const hashedAtOnceBytes = 1024 ** 2

/** Lower-case hex. Requests get their turns meanwhile: an animation of 10 MiB takes 20 ms and more. */
async function sha256Of (bytes: Buffer): Promise<string> {
  if (bytes.length <= hashedAtOnceBytes) return hash('sha256', bytes)
  const digest = createHash('sha256')
  for (let at = 0; at < bytes.length; at += hashedAtOnceBytes) {
    digest.update(bytes.subarray(at, at + hashedAtOnceBytes))
    await setImmediate()
  }
  return digest.digest('hex')
}
