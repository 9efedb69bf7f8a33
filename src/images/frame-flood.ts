// Refuses animations of more frames than anybody draws, before the image library sees them: it goes through all frames whenever it opens a file, of WebP in a time that grows with their square.
import { colourTableBytes, endOfSubBlocks } from './gif-blocks.ts'
import type { Bytes } from './metadata/bytes.ts'
import { maxFrames } from './limits.ts'
import { pictureError } from './picture-error.ts'

// An honest frame has three at most, and few of an honest file belong to none.
const maxParts = 10 * maxFrames

/** Of GIF. */
const image = 0x2c
const extension = 0x21
const comment = 0xfe

/**
 * To be asked before the image library sees a file. Others than GIF and WebP files are none of its business.
 * @throws IMAGE_TOO_LARGE; IMAGE_INVALID when it has too many parts of other kinds
 */
export function refuseFrameFlood (bytes: Bytes): void {
  let frames = 0
  let parts = 0
  for (const part of partsOf(bytes)) {
    if (part === 'frame' && ++frames > maxFrames) throw pictureError('IMAGE_TOO_LARGE', `an animation of more than ${maxFrames} frames is not decoded`)
    if (++parts > maxParts) throw pictureError('IMAGE_INVALID', `it has more than ${maxParts} parts`)
  }
}

type Part = 'frame' | 'other'

function partsOf (bytes: Bytes): Iterable<Part> {
  const head = bytes.read(0, 12).toString('latin1')
  if (/^RIFF[^]{4}WEBP/.test(head)) return partsOfWebp(bytes)
  return head.startsWith('GIF') ? partsOfGif(bytes) : []
}

/** RFC 9649, section 2.7. Frames are gone into, as the library does it: whatever it does not know in one it takes for what follows that. */
function * partsOfWebp (bytes: Bytes): Generator<Part> {
  for (let at = 12; ;) {
    const head = bytes.read(at, 8)
    if (head.length < 8) return
    const isFrame = head.toString('latin1', 0, 4) === 'ANMF'
    yield isFrame ? 'frame' : 'other'
    const size = head.readUInt32LE(4)
    at += 8 + (isFrame ? 16 : size + size % 2)
  }
}

/** GIF89a, appendix B, up to the trailer or to what is no block: there the library stops too. To it an extension begins with a sub-block, be it empty, unless that is a comment. */
function * partsOfGif (bytes: Bytes): Generator<Part> {
  for (let at = 13 + colourTableBytes(bytes.read(10, 1)[0]); ;) {
    const head = bytes.read(at, 10)
    const [block, label, length = 0] = head
    if (block === image) {
      yield 'frame'
      at = endOfSubBlocks(bytes, at + 11 + colourTableBytes(head[9])) ?? bytes.size
    } else if (block === extension) {
      yield 'other'
      at = endOfSubBlocks(bytes, at + (label === comment ? 2 : 3 + length)) ?? bytes.size
    } else {
      return
    }
  }
}
