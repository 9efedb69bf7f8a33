// Divides a file into what stays, what is written over, and the rest, which becomes zeros: nothing stays that nobody has asked for.
import { isPadding, type Bytes } from '../bytes.ts'
import { createRemoval, type Kind, type Plan, type Removal } from '../removal.ts'
import { unreadable } from '../unreadable.ts'
import type { Box, Range } from './boxes.ts'

/** What to write over something, of the same length, and what that was. */
export type Rewriting = { readonly content: Buffer, readonly kinds: readonly Kind[] }

export type Layout = ReturnType<typeof createLayout>

/** Together the extents are what `rewrite` gets. */
type Overwritten = { readonly extents: readonly Range[], readonly rewrite: (content: Buffer) => Rewriting | undefined }

/** What stands for nothing in it are zeros, in text spaces. */
type Blanked = Overwritten & { readonly isText: boolean }

/** Boxes that hold words about a movie, and never pixels. */
const descriptions = new Set(['udta', 'meta'])

/** Boxes that hold nothing, by their very type. */
const paddings = new Set(['free', 'skip', 'wide'])

// Edits are held in memory. What is cut off at the end of the file costs nothing.
const maxRewrittenBytes = 16 * 1024 * 1024

export function createLayout (bytes: Bytes) {
  const kept: Range[] = []
  const overwritten: Overwritten[] = []
  const blanked: Blanked[] = []
  const dropped: { box: Box, kind: Kind }[] = []
  const kindOfGap = new Map<number, Kind>()
  const describing = new Set<number>()

  function keep (start: number, end: number): void {
    if (start < end) kept.push({ start, end })
  }

  /** What is in the box goes, and is of this kind, but for what somebody keeps. */
  function keepHeader (box: Box, kind: Kind = 'other'): void {
    keep(box.start, box.content)
    kindOfGap.set(box.content, kind)
  }

  /** The box becomes padding. Where it begins and ends does not change, for others are found by their distance from the start of the file. */
  function drop (box: Box, kind: Kind): void {
    if (paddings.has(box.type) || isPadding(bytes, box.content, box.end)) return keepHeader(box, kind)
    keep(box.start, box.start + 4)
    keep(box.start + 8, box.content)
    kindOfGap.set(box.content, kind)
    if (descriptions.has(box.type)) describing.add(box.content)
    overwritten.push({ extents: [{ start: box.start + 4, end: box.start + 8 }], rewrite: () => ({ content: Buffer.from('free'), kinds: [] }) })
  }

  const contentOf = (extents: readonly Range[]) => Buffer.concat(extents.map(({ start, end }) => bytes.read(start, end - start)))

  /** Returns what went. */
  function overwrite (removal: Removal, { extents, rewrite }: Overwritten): readonly Kind[] {
    const old = contentOf(extents)
    const rewriting = rewrite(old)
    if (!rewriting || rewriting.content.equals(old)) return []
    let at = 0
    for (const { start, end } of extents) removal.replace(start, end, rewriting.content.subarray(at, at += end - start))
    rewriting.kinds.forEach(removal.tell)
    return rewriting.kinds
  }

  /** Of what shares bytes all becomes blank, unless nothing in it has to go: each of them alone would leave of the others what it needs itself. */
  function blankShared (removal: Removal, shared: readonly Blanked[]): readonly Kind[] {
    const kinds = shared.flatMap((one) => one.rewrite(contentOf(one.extents))?.kinds ?? [])
    if (kinds.length === 0) return []
    const texts = merge(shared.filter(({ isText }) => isText).flatMap(({ extents }) => extents))
    let next = 0
    for (const { start, end } of merge(shared.flatMap(({ extents }) => extents))) {
      const content = Buffer.alloc(end - start)
      for (let text = texts[next]; text && text.start < end; text = texts[++next]) content.fill(' ', text.start - start, text.end - start)
      if (!content.equals(bytes.read(start, end - start))) removal.replace(start, end, content)
    }
    kinds.forEach(removal.tell)
    return kinds
  }

  /** What nothing points at, or is of a type that is not known: it may be pixels of a damaged picture. */
  function erase (removal: Removal, gaps: readonly Range[]): void {
    const told = gaps.filter(({ start, end }) => !isPadding(bytes, start, end))
    if (total(told) > maxRewrittenBytes) throw unreadable('too much that belongs to nothing')
    for (const { start, end } of told) {
      removal.replace(start, end, Buffer.alloc(end - start))
      const kind = kindOfGap.get(start) ?? 'other'
      removal.tell(kind)
      if (kind === 'other' && !describing.has(start)) removal.tellUnclaimed()
    }
  }

  /** `tail` are the boxes behind everything that stays. */
  function cutTail (removal: Removal, reach: number, tail: typeof dropped): void {
    const headers = tail.filter(({ box }) => paddings.has(box.type)).map(({ box }) => ({ start: box.start, end: box.content }))
    if (gapsBetween(headers, reach, bytes.size).every(({ start, end }) => isPadding(bytes, start, end))) return
    removal.cut(reach, bytes.size, tail[0]?.kind ?? 'other')
    const isUnknown = tail.some(({ box, kind }) => kind === 'other' && !paddings.has(box.type)) || gapsBetween(tail.map(({ box }) => box), reach, bytes.size).length > 0
    if (isUnknown) removal.tellUnclaimed()
    for (const { kind } of tail) removal.tell(kind)
  }

  return {
    keep,
    keepHeader,
    drop,

    /** Like drop, for a box that is in no other: it is cut off where nothing that stays comes after it. */
    dropOrCut (box: Box, kind: Kind): void {
      dropped.push({ box, kind })
    },

    /** `rewrite` gives undefined for what may stay. */
    overwrite (extents: readonly Range[], rewrite: Overwritten['rewrite']): void {
      overwritten.push({ extents, rewrite })
    },

    /** Like overwrite, for what becomes nothing, and may share bytes with others that do. */
    blank (extents: readonly Range[], how: Omit<Blanked, 'extents'>): void {
      blanked.push({ extents, ...how })
    },

    /**
     * `end` is where the last box ends that has to stay.
     * @throws METADATA_UNREADABLE when something is to be written over what stays, or twice, and when it is too much
     */
    plan (end: number): Plan {
      let reach = Math.max(end, endOf(kept), endOf([...overwritten, ...blanked].flatMap(({ extents }) => extents)))
      const tail = dropped.filter(({ box, kind }) => {
        if (box.start >= reach) return true
        drop(box, kind)
        reach = Math.max(reach, box.end)
        return false
      })

      const stays = merge(kept)
      const goes = [...overwritten, ...blanked].flatMap(({ extents }) => extents)
      const all = [...stays, ...overwritten.flatMap(({ extents }) => extents), ...merge(blanked.flatMap(({ extents }) => extents))].sort(byStart)
      if (all.some(({ start }, index) => start < (all[index - 1]?.end ?? 0))) throw unreadable('metadata shares bytes with something else')
      if (total(goes) > maxRewrittenBytes) throw unreadable('too much metadata')

      const removal = createRemoval(bytes)
      const shared = sharing(blanked)
      for (const one of overwritten) overwrite(removal, one)
      const gone = [...blanked.filter((one) => !shared.has(one)).flatMap((one) => overwrite(removal, one)), ...blankShared(removal, [...shared])]
      // An item of a type that is not known may be one of pixels whose type is damaged.
      if (gone.includes('other')) removal.tellUnclaimed()
      erase(removal, gapsBetween(all, 0, reach))
      cutTail(removal, reach, tail)
      return removal.plan()
    },
  }
}

const byStart = (one: Range, other: Range) => one.start - other.start

const endOf = (ranges: readonly Range[]) => ranges.reduce((last, { end }) => Math.max(last, end), 0)

const total = (ranges: readonly Range[]) => ranges.reduce((sum, { start, end }) => sum + end - start, 0)

/** Ascending, and none touching the next. */
function merge (ranges: readonly Range[]): Range[] {
  const merged: { start: number, end: number }[] = []
  for (const { start, end } of ranges.toSorted(byStart)) {
    const last = merged.at(-1)
    if (last && start <= last.end) last.end = Math.max(last.end, end)
    else merged.push({ start, end })
  }
  return merged
}

/** Those of which some bytes belong to another one too, or twice to themselves. */
function sharing (blanked: readonly Blanked[]): ReadonlySet<Blanked> {
  const shared = new Set<Blanked>()
  let farthest: { readonly end: number, readonly one: Blanked } | undefined
  for (const { start, end, one } of blanked.flatMap((one) => one.extents.map((range) => ({ ...range, one }))).sort(byStart)) {
    if (farthest && start < farthest.end) shared.add(farthest.one).add(one)
    if (!farthest || end > farthest.end) farthest = { end, one }
  }
  return shared
}

/** What of [start, end) is in none of `ranges`, which ascend. */
function gapsBetween (ranges: readonly Range[], start: number, end: number): Range[] {
  const starts = [start, ...ranges.map((range) => range.end)]
  return starts.map((start, index) => ({ start, end: ranges[index]?.start ?? end })).filter(({ start, end }) => start < end)
}
