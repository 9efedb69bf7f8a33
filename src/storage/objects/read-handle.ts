// Objects opened for reading, as a file handle reads: a piece at a time, in few calls, or all of it as one stream.
import type { Stats } from 'node:fs'
import type { Readable } from 'node:stream'
import { buffer as collect } from 'node:stream/consumers'
import type { ByteRange } from '../store.ts'
import { oneAfterOther } from './leavable.ts'

/** What is asked first may be all that is wanted. */
const firstWindowBytes = 1024 ** 2

/** Who reads on gets more at once, and who reads 32 files at once does not fill the memory. */
const largestWindowBytes = 4 * 1024 ** 2

export type Content = { readonly stats: Stats, read (range: ByteRange): Promise<Readable> }

type Text = { encoding?: BufferEncoding | null } | BufferEncoding | null

export function createReadHandle ({ stats, read }: Content) {
  const { size } = stats
  let window = { start: 0, bytes: Buffer.alloc(0) }
  let windowBytes = firstWindowBytes
  let at = 0

  const endOfWindow = () => window.start + window.bytes.length

  async function fetched (position: number, length: number): Promise<Buffer> {
    if (position < window.start || position >= endOfWindow()) {
      windowBytes = position === endOfWindow() && position > 0 ? Math.min(windowBytes * 2, largestWindowBytes) : firstWindowBytes
      const end = Math.min(position + Math.max(windowBytes, length), size) - 1
      window = { start: position, bytes: await collect(await read({ start: position, end })) }
    }
    return window.bytes.subarray(position - window.start, position - window.start + length)
  }

  function stream ({ start = 0, end = size - 1 }: { start?: number | undefined, end?: number | undefined } = {}): Readable {
    const range = { start, end: Math.min(end, size - 1) }
    return oneAfterOther(range.start <= range.end ? [() => read(range)] : [])
  }

  return {
    /** Without a position, from where the last such read ended. */
    async read (buffer: Buffer, offset = 0, length = buffer.length - offset, position: number | null = null) {
      const from = position ?? at
      const bytes = from >= size || length === 0 ? Buffer.alloc(0) : await fetched(from, length)
      bytes.copy(buffer, offset)
      if (position === null) at = from + bytes.length
      return { buffer, bytesRead: bytes.length }
    },
    async readFile (options: Text = null): Promise<Buffer | string> {
      const bytes = await collect(stream())
      const encoding = typeof options === 'string' ? options : options?.encoding
      return encoding == null ? bytes : bytes.toString(encoding)
    },
    createReadStream: stream,
    stat: async (): Promise<Stats> => stats,
    async sync (): Promise<void> {},
    async close (): Promise<void> { window = { start: 0, bytes: Buffer.alloc(0) } },
  }
}
