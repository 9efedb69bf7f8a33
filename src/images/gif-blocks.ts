// How far the parts of a GIF reach that say so themselves (GIF89a). What a file that ends too early is worth is up to who asks.
import type { Bytes } from './metadata/bytes.ts'

const stepBytes = 16 * 1024

/** By the flags of a screen or an image: three bytes for each of a power of two colours, if there is a table at all. None for flags behind the end of the file. */
export function colourTableBytes (flags = 0): number {
  return (flags & 0x80) === 0 ? 0 : 3 << ((flags & 0x07) + 1)
}

/**
 * Sub-blocks: a length and so many bytes, up to a length of 0; undefined when the file ends before. XMP is none, but ends in bytes that
 * lead there from wherever one steps into them.
 */
export function endOfSubBlocks (bytes: Bytes, start: number): number | undefined {
  for (let at = start; ;) {
    const part = bytes.read(at, stepBytes)
    if (part.length === 0) return undefined
    let index = 0
    while (index < part.length) {
      const length = part.readUInt8(index)
      index += 1 + length
      if (length === 0) return at + index
    }
    at += index
  }
}
