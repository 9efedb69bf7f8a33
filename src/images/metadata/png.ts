// Metadata in PNG and APNG (PNG Specification, Third Edition): a chain of chunks, each with its type.
import { chunk, contentSpan, placesOf, pngSignature, type Place } from '../png-chunks.ts'
import { afterZeros, type Bytes } from './bytes.ts'
import { removeExif } from './exif-removal.ts'
import { createTextJudge } from './png-text.ts'
import { createRemoval, type Plan, type Removal } from './removal.ts'
import { unreadable } from './unreadable.ts'

/** What the pixels, their colours, their shape and their motion need, and how many bytes that is at most. iDOT is Apple's, for decoding in two halves. */
const needed: ReadonlyMap<string, number> = new Map([
  ['IHDR', 13], ['PLTE', 768], ['IDAT', Infinity], ['IEND', 0], ['tRNS', 256], ['cHRM', 32], ['gAMA', 4], ['iCCP', Infinity], ['sBIT', 4], ['sRGB', 1],
  ['cICP', 4], ['mDCV', 24], ['cLLI', 8], ['bKGD', 6], ['hIST', 512], ['pHYs', 9], ['oFFs', 9], ['sTER', 1], ['acTL', 8], ['fcTL', 26], ['fdAT', Infinity], ['iDOT', 28],
])
const texts = new Set(['tEXt', 'zTXt', 'iTXt'])

/** @throws METADATA_UNREADABLE */
export function planPng (bytes: Bytes): Plan {
  const removal = createRemoval(bytes)
  const judge = createJudge(bytes, removal)
  const types = new Set<string>()
  let end = 0
  for (const place of placesOf(bytes)) {
    removal.pass()
    if (!/^[A-Za-z]{4}$/.test(place.type) || place.end > bytes.size) throw unreadable(`no chunk can stand at ${place.start}`)
    judge(place)
    types.add(place.type)
    end = place.end
  }
  const missing = ['IHDR', 'IDAT', 'IEND'].find((type) => !types.has(type))
  if (missing !== undefined) throw unreadable(`it has no ${missing}`)
  if (bytes.read(afterZeros(bytes, end), pngSignature.length).equals(pngSignature)) throw unreadable('it is a film')
  removal.cutUnlessPadding(end, bytes.size)
  return removal.plan()
}

/** Decides on one chunk after the other. */
function createJudge (bytes: Bytes, removal: Removal): (place: Place) => void {
  const judgeText = createTextJudge(bytes, removal)
  let isExifHeeded = true

  return (place) => {
    const { type, start, end } = place
    const [contentStart, contentEnd] = contentSpan(place)
    if (contentEnd - contentStart <= (needed.get(type) ?? -1)) return
    // A capital letter: who does not know it cannot show the picture (section 5.4).
    if (/^[A-Z]/.test(type)) throw unreadable(`nothing is known of such a chunk of type ${type}`)
    if (type === 'eXIf') {
      removeExif(bytes, removal, { contentStart, contentEnd, start, end, isHeeded: isExifHeeded, frame: (content) => chunk(type, content) })
      isExifHeeded = false
    } else if (texts.has(type)) {
      removal.cut(start, end, judgeText(type, contentStart, contentEnd))
    } else {
      removal.cut(start, end, 'other')
      // Its type may be what is damaged.
      removal.tellUnclaimed()
    }
  }
}
