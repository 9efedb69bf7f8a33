// Which bytes a Range field selects (RFC 9110 section 14). Several ranges are answered with the whole, as the RFC allows.
import type { ByteRange } from '../storage/store.ts'

const oneRange = /^bytes=(?:(?<first>\d+)-(?<last>\d*)|-(?<suffix>\d+))$/i

/** A field that is not well-formed is ignored; so is any Range of an empty file, which has no byte that Content-Range could name. */
export function selectRange (field: string | undefined, size: number): ByteRange | 'whole' | 'unsatisfiable' {
  const { first, last, suffix } = oneRange.exec(field ?? '')?.groups ?? {}
  if (size === 0) return 'whole'
  if (suffix !== undefined) return within(Math.max(0, size - Number(suffix)), size - 1, size)
  if (first === undefined) return 'whole'
  const start = Number(first)
  const end = last ? Number(last) : Infinity
  return end < start ? 'whole' : within(start, Math.min(end, size - 1), size)
}

function within (start: number, end: number, size: number): ByteRange | 'unsatisfiable' {
  return start < size ? { start, end } : 'unsatisfiable'
}
