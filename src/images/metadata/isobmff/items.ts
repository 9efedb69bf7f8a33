// The items of a HEIF file, which are its pictures and its metadata: what they are and where their bytes are (ISO/IEC 14496-12, section 8.11).
import { unreadable } from '../unreadable.ts'
import { only, required, type Box, type BoxReader, type Range } from './boxes.ts'
import { createCursor, type Cursor } from './cursor.ts'

export type Item = {
  readonly type: string
  /** Where its name is, without the zero at its end. */
  readonly name: Range & { readonly text: string }
  /** Of items of the type "mime", else empty. */
  readonly contentType: string
  /** Where its encoding is, of items of the type "mime", with the zero at its end; else empty. */
  readonly encoding: Range
  /** What of its entry has a meaning. */
  readonly entry: Range
  readonly extents: readonly Range[]
}

/**
 * All items that the boxes of a "meta" box name.
 * @throws METADATA_UNREADABLE when one is outside of the boxes of the file, in another file or within another item, or is there twice
 */
export function readItems (reader: BoxReader, children: readonly Box[], fileEnd: number): Map<number, Item> {
  const iinf = required(children, 'iinf')
  const locations = readLocations(reader, children, fileEnd)
  const items = new Map<number, Item>()
  for (const infe of reader.boxesIn(entriesOf(reader, iinf), iinf.end)) {
    const { id, ...entry } = readEntry(reader, infe)
    if (items.has(id)) throw unreadable(`item ${id} is there twice`)
    items.set(id, { ...entry, extents: locations.get(id) ?? [] })
  }
  return items
}

/** Where the entries of an item information box begin: behind its version, flags and count. */
export function entriesOf (reader: BoxReader, iinf: Box): number {
  const version = createCursor(reader.contentOf(iinf)).number(1)
  return iinf.content + 4 + (version === 0 ? 2 : 4)
}

/** The id of the primary item (section 8.11.4), if there is one. */
export function readPrimary (reader: BoxReader, children: readonly Box[]): number | undefined {
  const pitm = only(children, 'pitm')
  if (!pitm) return undefined
  const cursor = createCursor(reader.contentOf(pitm))
  const version = cursor.number(1)
  cursor.skip(3)
  return cursor.number(version === 0 ? 2 : 4)
}

/** Section 8.11.6. HEIF knows the versions 2 and 3 only (ISO/IEC 23008-12, section 10.2.1). */
function readEntry (reader: BoxReader, infe: Box): Omit<Item, 'extents'> & { readonly id: number } {
  const cursor = createCursor(reader.contentOf(infe))
  const version = cursor.number(1)
  if (infe.type !== 'infe' || (version !== 2 && version !== 3)) throw unreadable('an item that says nothing of its type')
  cursor.skip(3)
  const id = cursor.number(version === 2 ? 2 : 4)
  cursor.skip(2)
  const type = cursor.fourLetters()
  const rangeOf = ({ start, text }: { start: number, text: string }) => ({ text, start: infe.content + start, end: infe.content + start + text.length })

  const name = rangeOf(cursor.string())
  const contentType = type === 'mime' || type === 'uri ' ? cursor.string().text : ''
  const encoding = rangeOf(type === 'mime' ? cursor.string() : { start: cursor.skip(0), text: '' })
  return { id, type, name, contentType, encoding, entry: { start: infe.start, end: infe.content + cursor.skip(0) } }
}

/** Section 8.11.3: the bytes of each item, by its id. */
function readLocations (reader: BoxReader, children: readonly Box[], fileEnd: number): Map<number, Range[]> {
  const idat = only(children, 'idat')
  const sources = [{ start: 0, end: fileEnd }, idat && { start: idat.content, end: idat.end }]
  const cursor = createCursor(reader.contentOf(required(children, 'iloc')))
  const version = cursor.number(1)
  cursor.skip(3)
  if (version > 2) throw unreadable(`iloc of version ${version}`)
  const sizes = readSizes(cursor)
  const idLength = version < 2 ? 2 : 4

  const locations = new Map<number, Range[]>()
  for (let count = cursor.number(idLength); count > 0; count--) {
    const id = cursor.number(idLength)
    const source = sources[version === 0 ? 0 : cursor.number(2) & 0xf]
    if (!source || cursor.number(2) !== 0) throw unreadable(`item ${id} is neither in the file nor in its idat`)
    if (locations.has(id)) throw unreadable(`item ${id} is at two places`)
    locations.set(id, readExtents(cursor, source, { ...sizes, index: version === 0 ? 0 : sizes.index }))
  }
  return locations
}

type Sizes = { readonly offset: number, readonly length: number, readonly base: number, readonly index: number }

/** Bytes of the fields of each extent. */
function readSizes (cursor: Cursor): Sizes {
  const [first, second] = [cursor.number(1), cursor.number(1)]
  const sizes = { offset: first >> 4, length: first & 0xf, base: second >> 4, index: second & 0xf }
  if (!Object.values(sizes).every((size) => [0, 4, 8].includes(size))) throw unreadable('iloc with fields of unknown size')
  return sizes
}

function readExtents (cursor: Cursor, source: Range, sizes: Sizes): Range[] {
  const base = cursor.number(sizes.base)
  const extents: Range[] = []
  for (let count = cursor.number(2); count > 0; count--) {
    cursor.skip(sizes.index)
    const start = source.start + base + cursor.number(sizes.offset)
    const length = cursor.number(sizes.length)
    // The standard says that this is all of the file; decoders see nothing.
    if (length === 0) continue
    const end = start + length
    if (end > source.end) throw unreadable('an item ends behind the end of what holds it')
    extents.push({ start, end })
  }
  return extents
}
