// Metadata in WebP (RFC 9649): a RIFF file, in which each frame of an animation has chunks of its own.
import { afterZeros, type Bytes, isPadding, readExactly } from './bytes.ts'
import { removeExif } from './exif-removal.ts'
import { createRemoval, type Plan, type Removal } from './removal.ts'
import { unreadable } from './unreadable.ts'

const needed = new Set(['VP8X', 'VP8 ', 'VP8L', 'ALPH', 'ANIM', 'ANMF', 'ICCP'])
const neededInFrame = new Set(['VP8 ', 'VP8L', 'ALPH'])
const withPixels = new Set(['VP8 ', 'VP8L'])
/** Bytes, which decoders demand or read no more of. */
const exactLengths: ReadonlyMap<string, number> = new Map([['VP8X', 10], ['ANIM', 6]])

const fileHeadBytes = 12
const chunkHeadBytes = 8
const frameHeadBytes = 16

/** Of VP8X (section 2.7.1), whose chunk comes first if there is one. */
const flagsAt = fileHeadBytes + chunkHeadBytes
const exifFlag = 0x08
const xmpFlag = 0x04

/** @throws METADATA_UNREADABLE */
export function planWebp (bytes: Bytes): Plan {
  const head = readExactly(bytes, 0, flagsAt + 1)
  const size = head.readUInt32LE(4)
  // Who wrote into a pipe could not come back to say how long it is.
  const end = size === 0 ? bytes.size : 8 + size
  if (!/^RIFF[^]{4}WEBP/.test(head.toString('latin1')) || end > bytes.size) throw unreadable('it is no whole WebP file')
  const flags = head.toString('latin1', fileHeadBytes, fileHeadBytes + 4) === 'VP8X' ? head.readUInt8(flagsAt) : 0

  const removal = createRemoval(bytes)
  let isExifHeeded = (flags & exifFlag) !== 0
  let flagsLeft = flags
  let hasPixels = false
  for (const chunk of chunks(bytes, fileHeadBytes, end)) {
    removal.pass()
    const { type, contentStart, contentEnd } = chunk
    if (exactLengths.has(type) && contentEnd - contentStart !== exactLengths.get(type)) throw unreadable(`${type} cannot be so long`)
    if (withPixels.has(type)) hasPixels = true
    if (type === 'EXIF') {
      const isLeft = removeExif(bytes, removal, { ...chunk, isHeeded: isExifHeeded, frame: (content) => chunkOf('EXIF', content) })
      if (isExifHeeded && !isLeft) flagsLeft &= ~exifFlag
      isExifHeeded = false
    } else if (type === 'ANMF') {
      cutWithinFrame(bytes, removal, chunk)
      hasPixels = true
    } else if (type === 'XMP ') {
      removal.cut(chunk.start, chunk.end, 'xmp')
      flagsLeft &= ~xmpFlag
    } else if (!needed.has(type)) {
      removal.cut(chunk.start, chunk.end, 'other')
      // Its type may be what is damaged.
      removal.tellUnclaimed()
    }
  }
  const behind = bytes.read(afterZeros(bytes, end), 4).toString('latin1')
  if (!hasPixels || needed.has(behind) || behind === 'RIFF') throw unreadable('it ends before its pixels')
  if (flagsLeft !== flags) removal.replace(flagsAt, flagsAt + 1, Buffer.of(flagsLeft))
  if (removal.growth() !== 0 && size !== 0) removal.replace(4, 8, lengthOf(size + removal.growth()))
  removal.cutUnlessPadding(end, bytes.size)
  return removal.plan()
}

/** What is no pixel of a frame goes, of whatever kind: nobody reads it there. */
function cutWithinFrame (bytes: Bytes, removal: Removal, frame: Chunk): void {
  const before = removal.growth()
  let hasPixels = false
  for (const { type, start, end } of chunks(bytes, frame.contentStart + frameHeadBytes, frame.end)) {
    removal.pass()
    if (!neededInFrame.has(type)) removal.cut(start, end, 'other')
    if (withPixels.has(type)) hasPixels = true
  }
  if (!hasPixels) throw unreadable(`the frame at ${frame.start} has no pixels`)
  const growth = removal.growth() - before
  if (growth !== 0) removal.replace(frame.start + 4, frame.contentStart, lengthOf(frame.end - frame.contentStart + growth))
}

/** [start, end) is all of it, with the byte that makes its length even. */
type Chunk = { readonly type: string, readonly start: number, readonly contentStart: number, readonly contentEnd: number, readonly end: number }

/** The last may be of no type: fewer bytes than a chunk has. */
function * chunks (bytes: Bytes, from: number, to: number): Generator<Chunk> {
  let start = from
  while (start + chunkHeadBytes <= to) {
    const head = readExactly(bytes, start, chunkHeadBytes)
    const contentStart = start + chunkHeadBytes
    const contentEnd = contentStart + head.readUInt32LE(4)
    if (contentEnd > to) throw unreadable(`no chunk can stand at ${start}`)
    const end = Math.min(to, contentEnd + (contentEnd - contentStart) % 2)
    yield { type: head.toString('latin1', 0, 4), start, contentStart, contentEnd, end }
    start = end
  }
  if (!isPadding(bytes, start, to)) yield { type: '', start, contentStart: to, contentEnd: to, end: to }
}

function chunkOf (type: string, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), lengthOf(content.length), content])
}

function lengthOf (length: number): Buffer {
  const encoded = Buffer.alloc(4)
  encoded.writeUInt32LE(length)
  return encoded
}
