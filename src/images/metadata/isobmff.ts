// Metadata in AVIF, HEIC and HEIF, pictures and sequences (ISO/IEC 23008-12): boxes, most of which point to others by their distance from
// the start of the file. So what goes is overwritten where it is, and only what is at the very end is cut off.
import type { Bytes } from './bytes.ts'
import { createBoxReader, only, required, type Box, type BoxReader, type Range } from './isobmff/boxes.ts'
import { createCursor } from './isobmff/cursor.ts'
import { entriesOf, readItems, readPrimary, type Item } from './isobmff/items.ts'
import { createLayout, type Layout } from './isobmff/layout.ts'
import { isNameOfProgram } from './isobmff/names.ts'
import { readGrouped, readReferences, type Reference } from './isobmff/references.ts'
import { isText, rewriteItem } from './isobmff/rewriting.ts'
import { readChunks } from './isobmff/samples.ts'
import { findThumbnails } from './isobmff/thumbnails.ts'
import type { Kind, Plan } from './removal.ts'
import { unreadable } from './unreadable.ts'

type File = {
  readonly bytes: Bytes
  readonly reader: BoxReader
  readonly layout: Layout
  /** Where the last box ends. */
  readonly end: number
}

const words = (text: string): ReadonlySet<string> => new Set(text.match(/\S{4}/g))

/** Items that are pictures, coded or made of others. A picture in JPEG is none of them: it may have metadata of its own, and is no more than a thumbnail. */
const pictures = words('av01 hvc1 hev1 lhv1 avc1 svc1 vvc1 evc1 j2k1 unci grid iovl iden tmap tili sato mski')

/** What describes pixels: ISO/IEC 23008-12 section 6.5, AV1-ISOBMFF, AVIF, ISO/IEC 23001-17. */
const properties = words(`
  ispe pixi pasp colr clap irot imir iscl rloc rref auxC clli mdcv cclv amve reve ndwt tmap cmin cmex lsel tols oinf subs iaux mskC prdi disi vwid
  av1C a1op a1lx hvcC lhvC avcC svcC vvcC evcC j2kH jpgC cmpC cmpd uncC cpal splz snuc sbpm icef fpac tilC
  aebr wbbr fobr afbr dobr`)
/** Of text or a time only; zeros make them empty. */
const describing: ReadonlyMap<string, Kind> = new Map([['udes', 'comment'], ['altt', 'comment'], ['crtt', 'other'], ['mdft', 'other']])

const inFile = words('ftyp etyp meta moov mdat pdin')
const inMeta = words('hdlr pitm iloc grpl dinf ipro')
const inMovie = words('mvhd mvex iods')
const inTrack = words('tkhd tref trgr edts')
const inMedia = words('mdhd hdlr elng')
const inMediaInformation = words('vmhd smhd nmhd dinf')
const inSampleTable = words('stsd stts ctts cslg stss stsh stsz stz2 stsc stco co64 sdtp stdp padb sbgp sgpd subs')
/** Handlers of tracks that show or sound; the others are metadata, timed. */
const mediaHandlers = words('pict vide auxv soun')

/** The extended type of a box that holds XMP (XMP Specification, part 3, section 1.2.7.1). */
const xmpUuid = Buffer.from('be7acfcb97a942e89c71999491e3afac', 'hex')

/** @throws METADATA_UNREADABLE */
export function planIsobmff (bytes: Bytes): Plan {
  const reader = createBoxReader(bytes)
  const boxes = topBoxes(bytes, reader)
  const file: File = { bytes, reader, layout: createLayout(bytes), end: boxes.at(-1)?.end ?? 0 }
  if (boxes[0]?.type !== 'ftyp') throw unreadable('no ftyp')
  // Their pictures are where nothing here would find them.
  const unknown = boxes.find(({ type }) => ['moof', 'mini', 'imda'].includes(type))
  if (unknown) throw unreadable(`a ${unknown.type}`)
  const meta = only(boxes, 'meta')
  const moov = only(boxes, 'moov')
  if (!meta && !moov) throw unreadable('neither meta nor moov')

  for (const box of boxes) {
    if (!inFile.has(box.type)) file.layout.dropOrCut(box, kindOf(file, box))
    else if (box.type === 'mdat') file.layout.keepHeader(box)
    else if (box !== meta && box !== moov) file.layout.keep(box.start, box.end)
  }
  if (meta) walkMeta(file, meta)
  if (moov) walkMovie(file, moov)
  return file.layout.plan(boxes.findLast(({ type }) => inFile.has(type))?.end ?? 0)
}

/** Without what comes after the last of them. */
function topBoxes (bytes: Bytes, reader: BoxReader): Box[] {
  const boxes: Box[] = []
  const walk = reader.boxesThatFit(0, bytes.size)
  for (let next = walk.next(); ; next = walk.next()) {
    if (!next.done) boxes.push(next.value)
    else if (next.value && inFile.has(next.value.type)) throw unreadable(`${next.value.type} is cut off`)
    else return boxes
  }
}

function kindOf ({ bytes }: File, { type, content }: Box): Kind {
  return type === 'uuid' && bytes.read(content, xmpUuid.length).equals(xmpUuid) ? 'xmp' : 'other'
}

/** Keeps the header of a box that holds others, and hands out these. */
function open ({ reader, layout }: File, box: Box, start = box.content): Box[] {
  layout.keep(box.start, start)
  return [...reader.boxesIn(start, box.end)]
}

/** The boxes of these types stay; what becomes of the others is up to `judge`, or they go. */
function sort ({ layout }: File, boxes: readonly Box[], needed: ReadonlySet<string>, judges: Readonly<Record<string, (box: Box) => void>> = {}): void {
  for (const box of boxes) {
    const judge = Object.hasOwn(judges, box.type) ? judges[box.type] : undefined
    if (judge) judge(box)
    else if (needed.has(box.type)) layout.keep(box.start, box.end)
    else layout.drop(box, 'other')
  }
}

function walkMeta (file: File, meta: Box): void {
  const { reader, layout, end } = file
  // A full box: version and flags come first.
  const children = open(file, meta, meta.content + 4)
  if (handlerOf(file, children) !== 'pict') throw unreadable('no pictures in its meta')
  only(children, 'iprp')
  const items = readItems(reader, children, end)
  const primaryId = readPrimary(reader, children)
  const primary = items.get(primaryId ?? -1)
  if (primary && !pictures.has(primary.type)) throw unreadable(`a primary item of the type ${primary.type}`)

  const isPicture = (id: number) => pictures.has(items.get(id)?.type ?? '')
  const references = readReferences(reader, children)
  const grouped = readGrouped(reader, children)
  const thumbnails = findThumbnails(references, { isPicture, isNeeded: (id) => id === primaryId || grouped.has(id) })

  sort(file, children, inMeta, {
    iref: (box) => walkReferences(file, box, references, thumbnails),
    idat: (box) => layout.keepHeader(box),
    iprp: (box) => sort(file, open(file, box), words('ipma'), { ipco: (box) => walkProperties(file, box) }),
    iinf: (box) => layout.keep(box.start, entriesOf(reader, box)),
  })
  for (const [id, item] of items) judgeItem(file, item, thumbnails.has(id))
}

/** What is no picture any longer is no thumbnail of one, nor made of others. Boxes of a type that says nothing are passed over by all readers. */
function walkReferences (file: File, iref: Box, references: readonly Reference[], thumbnails: ReadonlySet<number>): void {
  const gone = new Set(references.filter(({ from }) => thumbnails.has(from)).map(({ box }) => box.start))
  for (const box of open(file, iref, iref.content + 4)) {
    if (gone.has(box.start)) retype(file, box, box.start + 4)
    else file.layout.keep(box.start, box.end)
  }
}

/** Writes over the four letters at `at`, and keeps the rest of the range. */
function retype ({ layout }: File, { start, end }: Range, at: number): void {
  layout.keep(start, at)
  layout.overwrite([{ start: at, end: at + 4 }], () => ({ content: Buffer.from('free'), kinds: ['thumbnail'] }))
  layout.keep(at + 4, end)
}

function walkProperties (file: File, ipco: Box): void {
  for (const box of open(file, ipco)) {
    const kind = describing.get(box.type)
    if (kind !== undefined) file.layout.keepHeader(box, kind)
    else sort(file, [box], properties)
  }
}

function judgeItem (file: File, item: Item, isThumbnail: boolean): void {
  const { layout } = file
  const { name, encoding, entry, extents } = item
  if (isNameOfProgram(name.text)) layout.keep(name.start, name.end)
  else layout.overwrite([name], ({ length }) => ({ content: Buffer.alloc(length, ' '), kinds: ['other'] }))
  // The type of an item stands before its name.
  if (isThumbnail) retype(file, { start: entry.start, end: name.start }, name.start - 4)
  else layout.keep(entry.start, name.start)
  // Nothing is compressed any longer.
  layout.keep(name.end, encoding.start)
  layout.keep(encoding.end, entry.end)

  if (isThumbnail) layout.blank(extents, { isText: false, rewrite: ({ length }) => ({ content: Buffer.alloc(length), kinds: ['thumbnail'] }) })
  else if (pictures.has(item.type)) for (const { start, end } of extents) layout.keep(start, end)
  else layout.blank(extents, { isText: isText(item), rewrite: (content) => rewriteItem(item, content) })
}

function walkMovie (file: File, moov: Box): void {
  sort(file, open(file, moov), inMovie, { trak: (box) => walkTrack(file, box) })
}

function walkTrack (file: File, trak: Box): void {
  const { reader, layout } = file
  const mdia = required(reader.boxesIn(trak.content, trak.end), 'mdia')
  if (!mediaHandlers.has(handlerOf(file, [...reader.boxesIn(mdia.content, mdia.end)]))) return layout.drop(trak, 'other')

  const walkSampleTable = (stbl: Box) => {
    const tables = open(file, stbl)
    sort(file, tables, inSampleTable)
    for (const { start, end } of readChunks(reader, tables, file.end)) layout.keep(start, end)
  }
  const walkMediaInformation = (minf: Box) => sort(file, open(file, minf), inMediaInformation, { stbl: walkSampleTable })
  const walkMedia = (mdia: Box) => sort(file, open(file, mdia), inMedia, { minf: walkMediaInformation })
  sort(file, open(file, trak), inTrack, { mdia: walkMedia })
}

/** Section 8.4.3. */
function handlerOf ({ reader }: File, boxes: readonly Box[]): string {
  const cursor = createCursor(reader.contentOf(required(boxes, 'hdlr')))
  cursor.skip(8)
  return cursor.fourLetters()
}
