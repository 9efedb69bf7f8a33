// Collects what a walker takes out of a file, and makes the plan of it.
import { type Bytes, isPadding } from './bytes.ts'
import { tellsLocation } from './location.ts'
import { unreadable } from './unreadable.ts'

/** Bytes [start, end) of the file, one at least, become `replacement`. */
export type Edit = { readonly start: number, readonly end: number, readonly replacement: Uint8Array }

/** The kinds of metadata, in the order in which they are named. `other` is none of these, and needed by no decoder. */
export const kinds = ['location', 'exif', 'xmp', 'iptc', 'comment', 'thumbnail', 'other'] as const
export type Kind = typeof kinds[number]

export type Plan = {
  /** Ascending, none overlapping another. None: the file stays byte for byte what it is. */
  readonly edits: readonly Edit[]
  /** `location` whenever coordinates were found in what goes. */
  readonly removed: readonly Kind[]
  /** Something goes that the format gives no place: behind the end of the picture, or between two parts. Of a damaged one it may be pixels. */
  readonly cutsUnclaimed?: true
}

export type Removal = {
  /** To be called for each segment, chunk or block that a walker comes to. */
  readonly pass: () => void
  /** Bytes [start, end) go; those of neighbours become one edit. */
  readonly cut: (start: number, end: number, removed: Kind) => void
  /** The same for what is in no part of the picture, unless there is nothing but padding. */
  readonly cutUnlessPadding: (start: number, end: number) => void
  readonly replace: (start: number, end: number, replacement: Uint8Array) => void
  readonly tell: (removed: Kind) => void
  /** What goes may be pixels, if the picture is damaged. */
  readonly tellUnclaimed: () => void
  /** By how many bytes the file has grown so far; negative when it has shrunk. */
  readonly growth: () => number
  readonly plan: () => Plan
}

const nothing = new Uint8Array(0)
// No camera and no editor comes near these; a file made for it would take the memory, and a minute.
const maxEdits = 10_000
const maxParts = 200_000

export function createRemoval (bytes: Bytes): Removal {
  const edits: Edit[] = []
  const removed = new Set<Kind>()
  let growth = 0
  let parts = 0
  let cutsUnclaimed = false

  function replace (start: number, end: number, replacement: Uint8Array): void {
    growth += replacement.length - (end - start)
    const last = edits.at(-1)
    if (last?.end === start && last.replacement.length === 0 && replacement.length === 0) edits[edits.length - 1] = { ...last, end }
    else if (edits.push({ start, end, replacement }) > maxEdits) throw unreadable('it has too many pieces of metadata')
  }

  function cut (start: number, end: number, kind: Kind): void {
    removed.add(kind)
    replace(start, end, nothing)
  }

  return {
    pass () {
      if (++parts > maxParts) throw unreadable('it has too many parts')
    },
    cut,
    cutUnlessPadding (start, end) {
      if (isPadding(bytes, start, end)) return
      cut(start, end, 'other')
      cutsUnclaimed = true
    },
    replace,
    tell: (kind) => removed.add(kind),
    tellUnclaimed () { cutsUnclaimed = true },
    growth: () => growth,
    plan () {
      if (edits.some(({ start, end }) => tellsLocation(bytes, start, end))) removed.add('location')
      return { edits: edits.toSorted((a, b) => a.start - b.start), removed: kinds.filter((kind) => removed.has(kind)), ...cutsUnclaimed && { cutsUnclaimed } }
    },
  }
}
