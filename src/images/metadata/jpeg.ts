// Metadata in JPEG (ITU-T T.81, annex B): a chain of segments, with the data of the scans between them. Other pictures may follow the first one.
import { afterZeros, type Bytes, readExactly } from './bytes.ts'
import { removeExif } from './exif-removal.ts'
import { createRemoval, type Kind, type Plan, type Removal } from './removal.ts'
import { unreadable } from './unreadable.ts'

const startOfImage = 'ffd8'
const endOfImage = 0xd9
const startOfScan = 0xda
const numberOfLines = 0xdc
const firstApplication = 0xe0
const comment = 0xfe

type KnownAs = Kind | 'jfif' | 'exif' | 'adobe' | 'index' | 'needed'

/** How the segments begin that we know, after marker and length. `needed` ones carry the colours. `index`: of the pictures behind this one (MPF, CIPA DC-007). */
const known: ReadonlyArray<readonly [marker: number, name: string, kind: KnownAs]> = [
  [0xe0, 'JFIF\0', 'jfif'],
  [0xe0, 'JFXX\0', 'thumbnail'],
  [0xe1, 'Exif', 'exif'],
  [0xe1, 'http://ns.adobe.com/xap/1.0/\0', 'xmp'],
  [0xe1, 'http://ns.adobe.com/xmp/extension/\0', 'xmp'],
  [0xe2, 'ICC_PROFILE\0', 'needed'],
  [0xe2, 'MPF\0', 'index'],
  [0xed, 'Photoshop 3.0\0', 'iptc'],
  [0xee, 'Adobe', 'adobe'],
  [comment, '', 'comment'],
]
const longestName = 35

/** Not a stuffed byte, a restart within a scan, or a fill byte. */
const markerInData = /\xff[ -\xcf\xd8-\xfe]/
const firstStepBytes = 64
const maxStepBytes = 16 * 1024

const adobeBytes = 12
const numberOfLinesBytes = 4

/** [start, end) with its marker. Decoders skip what stands between `gapStart` and `start`. */
type Segment = { readonly marker: number, readonly gapStart: number, readonly start: number, readonly end: number }

type Passed = { readonly end: number, /** Height and width, of two bytes each, as its frame header has them. */ readonly size: Buffer }

// Phones put one picture of the same size behind another, at most.
const framesOfFilm = 3

/** @throws METADATA_UNREADABLE */
export function planJpeg (bytes: Bytes): Plan {
  const removal = createRemoval(bytes)
  const judge = createJudge(bytes, removal)
  let hasIndex = false
  const first = passPicture(bytes, removal, 0, (segment) => {
    removal.cutUnlessPadding(segment.gapStart, segment.start)
    if (judge(segment) === 'index') hasIndex = true
  })
  if (isPartOfPicture(bytes.read(afterZeros(bytes, first.end), 2))) throw unreadable('it ends before its pixels')
  if (!hasIndex) refuseFilm(bytes, removal, first)
  // A second picture, the film of a moving photo, or what an application has added.
  removal.cutUnlessPadding(first.end, bytes.size)
  return removal.plan()
}

/** Frames one behind the other (Motion JPEG) are no picture with something behind it: all but the first would be lost. */
function refuseFilm (bytes: Bytes, removal: Removal, first: Passed): void {
  let at = afterZeros(bytes, first.end)
  for (let frames = 1; frames < framesOfFilm; frames++) {
    if (bytes.read(at, 2).toString('hex') !== startOfImage) return
    const next = passPicture(bytes, removal, at)
    if (areaOf(next) > areaOf(first)) throw unreadable('a larger picture follows the first')
    if (!next.size.equals(first.size)) return
    at = afterZeros(bytes, next.end)
  }
  throw unreadable('it is a film')
}

const areaOf = ({ size }: Passed): number => size.readUInt16BE() * size.readUInt16BE(2)

/** A marker that stands within a picture, and never behind it: of tables, frames or scans. */
const isPartOfPicture = ([first, marker = 0]: Buffer): boolean => first === 0xff && ((marker >= 0xc0 && marker <= 0xcf) || (marker >= startOfScan && marker <= 0xdd))

/** Up to the end of one picture, or of the file where that was cut off in a scan: then all there is has been seen. */
function passPicture (bytes: Bytes, removal: Removal, from: number, visit: (segment: Segment) => void = () => {}): Passed {
  if (readExactly(bytes, from, 2).toString('hex') !== startOfImage) throw unreadable('it is no JPEG file')
  let size: Buffer | undefined
  let hasScan = false
  let isScan = false
  for (let at = from + 2; ;) {
    removal.pass()
    const start = findMarker(bytes, at)
    if (size !== undefined && isScan && start === bytes.size) return { end: start, size }
    const marker = readExactly(bytes, start + 1, 1).readUInt8()
    const end = start + 2 + (marker === endOfImage ? 0 : segmentLength(bytes, marker, start + 2))
    visit({ marker, gapStart: isScan ? start : at, start, end })
    if (marker === endOfImage) {
      if (size === undefined || !hasScan) throw unreadable('it ends before its pixels')
      return { end, size }
    }
    if (isFrameHeader(marker)) size = readExactly(bytes, start + 5, 4)
    isScan = marker === startOfScan
    hasScan ||= isScan
    at = end
  }
}

/** Table B.1: of these 16 three are no frame headers. */
const isFrameHeader = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)

/** Where the next marker is; the size of the file when there is none. */
function findMarker (bytes: Bytes, from: number): number {
  let stepBytes = firstStepBytes
  for (let at = from; at + 1 < bytes.size;) {
    const index = bytes.read(at, stepBytes).toString('latin1').search(markerInData)
    if (index >= 0) return at + index
    at += stepBytes - 1
    stepBytes = Math.min(stepBytes * 4, maxStepBytes)
  }
  return bytes.size
}

function segmentLength (bytes: Bytes, marker: number, at: number): number {
  const hasLength = (marker >= 0xc0 && marker <= 0xcf) || (marker >= startOfScan && marker <= 0xef) || marker === comment
  if (!hasLength) throw unreadable(`marker ${marker} cannot stand at ${at}`)
  const length = readExactly(bytes, at, 2).readUInt16BE()
  if (length < 2 || at + length > bytes.size) throw unreadable(`the segment at ${at} cannot be ${length} bytes long`)
  return length
}

/** Decides on one segment after the other, and tells which it was. */
function createJudge (bytes: Bytes, removal: Removal): (segment: Segment) => KnownAs | undefined {
  // Decoders look at the first EXIF block, if it comes before the first scan, and at no other.
  let isExifHeeded = true

  return ({ marker, start, end }) => {
    if (marker === startOfScan) isExifHeeded = false
    if (marker === numberOfLines && end - start !== numberOfLinesBytes + 2) removal.cut(start, end, 'other')
    if (marker < firstApplication) return undefined
    const name = bytes.read(start + 4, Math.min(longestName, end - start - 4)).toString('latin1')
    const kind = known.find((one) => one[0] === marker && name.startsWith(one[1]))?.[2] ?? 'other'
    if (kind === 'exif') {
      removeExif(bytes, removal, { contentStart: start + 4, contentEnd: end, start, end, isHeeded: isExifHeeded, frame: (content) => segment(0xe1, content) })
      isExifHeeded = false
    } else if (kind === 'jfif') cutThumbnail(bytes, removal, start, end)
    else if (kind === 'adobe') cutBehindColours(bytes, removal, start, end)
    else if (kind === 'index') removal.cut(start, end, 'other')
    else if (kind !== 'needed') removal.cut(start, end, kind)
    return kind
  }
}

/** Adobe Technical Note 5116, section 18: 12 bytes, of which the last says what the colours are. Decoders read no more, and heed nothing shorter. */
function cutBehindColours (bytes: Bytes, removal: Removal, start: number, end: number): void {
  const whole = start + 4 + adobeBytes
  if (end === whole) return
  removal.replace(start, end, end < whole ? Buffer.alloc(0) : segment(0xee, bytes.read(start + 4, adobeBytes)))
  removal.tell('other')
}

/** JFIF 1.02: 14 bytes, of which the last two are the size of the thumbnail that follows them. */
function cutThumbnail (bytes: Bytes, removal: Removal, start: number, end: number): void {
  const whole = start + 4 + 14
  if (end <= whole) return
  removal.replace(start, end, segment(0xe0, Buffer.from(bytes.read(start + 4, 14)).fill(0, 12)))
  removal.tell('thumbnail')
}

function segment (marker: number, content: Buffer): Buffer {
  const head = Buffer.from([0xff, marker, 0, 0])
  head.writeUInt16BE(content.length + 2, 2)
  return Buffer.concat([head, content])
}
