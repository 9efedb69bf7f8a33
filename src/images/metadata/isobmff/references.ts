// How the items of a HEIF file refer to one another, and which belong together (ISO/IEC 14496-12, sections 8.11.12 and 8.18).
import { only, type Box, type BoxReader } from './boxes.ts'
import { createCursor } from './cursor.ts'

export type Reference = {
  readonly type: string
  /** The box that says it. */
  readonly box: Box
  readonly from: number
  readonly to: readonly number[]
}

const paddings = new Set(['free', 'skip'])

/** @throws METADATA_UNREADABLE when a box ends too early */
export function readReferences (reader: BoxReader, children: readonly Box[]): Reference[] {
  const iref = only(children, 'iref')
  if (!iref) return []
  const length = createCursor(reader.contentOf(iref)).number(1) === 0 ? 2 : 4
  const boxes = [...reader.boxesIn(iref.content + 4, iref.end)]
  return boxes.filter(({ type }) => !paddings.has(type)).map((box) => {
    const cursor = createCursor(reader.contentOf(box))
    const from = cursor.number(length)
    const to = Array.from({ length: cursor.number(2) }, () => cursor.number(length))
    return { type: box.type, box, from, to }
  })
}

/** The ids of all entities that are in a group. @throws METADATA_UNREADABLE when a box ends too early */
export function readGrouped (reader: BoxReader, children: readonly Box[]): ReadonlySet<number> {
  const grpl = only(children, 'grpl')
  const grouped = new Set<number>()
  if (!grpl) return grouped
  for (const box of reader.boxesIn(grpl.content, grpl.end)) {
    if (paddings.has(box.type)) continue
    const cursor = createCursor(reader.contentOf(box))
    cursor.skip(8)
    for (let count = cursor.number(4); count > 0; count--) grouped.add(cursor.number(4))
  }
  return grouped
}
