// Reads the fields of a box one after the other: numbers of big-endian byte order, and strings that end with a zero.
import { unreadable } from '../unreadable.ts'

export type Cursor = ReturnType<typeof createCursor>

export function createCursor (content: Buffer) {
  let at = 0

  /** @throws METADATA_UNREADABLE behind the end */
  function skip (length: number): number {
    const start = at
    if (length > content.length - start) throw unreadable('a box ends within a field')
    at += length
    return start
  }

  return {
    skip,

    /** Of 0, 1, 2, 4 or 8 bytes; none is 0. Over 2^53 it is not exact, and beyond the end of any file. */
    number (length: number): number {
      const start = skip(length)
      if (length === 0) return 0
      return length === 8 ? Number(content.readBigUInt64BE(start)) : content.readUIntBE(start, length)
    },

    /** Without its zero, which may be missing at the end of the box; with where it begins. */
    string (): { text: string, start: number } {
      const start = at
      const zero = content.indexOf(0, start)
      at = zero === -1 ? content.length : zero + 1
      return { start, text: content.toString('latin1', start, zero === -1 ? content.length : zero) }
    },

    fourLetters: () => content.toString('latin1', skip(4), at),
  }
}
