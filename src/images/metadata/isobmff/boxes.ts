// Reads the boxes of the ISO base media file format (ISO/IEC 14496-12, section 4.2), within their bounds. Knows no box by name.
import { readExactly, type Bytes } from '../bytes.ts'
import { unreadable } from '../unreadable.ts'

/** Bytes of the file, `end` not included. */
export type Range = { readonly start: number, readonly end: number }

/** `content` is where what follows the header begins. */
export type Box = Range & { readonly type: string, readonly content: number }

export type BoxReader = ReturnType<typeof createBoxReader>

// A picture of 40 megapixels in tiles of 64 pixels has 10 000 items. Each box costs a read.
const maxBoxes = 50_000
// Of those that are read as a whole: tables of items and of samples.
const maxContentBytes = 4 * 1024 * 1024

export function createBoxReader (bytes: Bytes) {
  let boxesLeft = maxBoxes

  function boxAt (start: number, end: number): Box {
    if (--boxesLeft < 0) throw unreadable(`more than ${maxBoxes} boxes`)
    const header = bytes.read(start, Math.min(16, end - start))
    const size = header.readUInt32BE(0)
    const type = header.toString('latin1', 4, 8)
    if (size === 1 && header.length === 16) return { type, start, content: start + 16, end: start + Number(header.readBigUInt64BE(8)) }
    return { type, start, content: start + 8, end: size === 0 ? end : start + size }
  }

  /** The boxes up to where the first begins that does not fit, or the end. */
  function * boxesThatFit (start: number, end: number): Generator<Box, Box | undefined> {
    for (let at = start; end - at >= 8;) {
      const box = boxAt(at, end)
      if (box.end < box.content || box.end > end) return box
      yield box
      at = box.end
    }
  }

  return {
    boxesThatFit,

    /** @throws METADATA_UNREADABLE at a box that does not fit */
    * boxesIn (start: number, end: number): Generator<Box> {
      const broken = yield * boxesThatFit(start, end)
      if (broken) throw unreadable(`the box at ${broken.start} does not fit into what holds it`)
    },

    /** @throws METADATA_UNREADABLE when it is cut off, or larger than any honest one */
    contentOf ({ type, content, end }: Box): Buffer {
      if (end - content > maxContentBytes) throw unreadable(`${type} is larger than ${maxContentBytes} bytes`)
      return readExactly(bytes, content, end - content)
    },
  }
}

/**
 * The one box of this type, if there is one.
 * @throws METADATA_UNREADABLE when there are several: others may read another than we do
 */
export function only (boxes: Iterable<Box>, type: string): Box | undefined {
  const [box, second] = [...boxes].filter((box) => box.type === type)
  if (second) throw unreadable(`more than one ${type}`)
  return box
}

/** @throws METADATA_UNREADABLE when there is not exactly one */
export function required (boxes: Iterable<Box>, type: string): Box {
  const box = only(boxes, type)
  if (!box) throw unreadable(`no ${type}`)
  return box
}
