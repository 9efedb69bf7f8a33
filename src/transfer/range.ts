// Which bytes a Range field selects (RFC 9110 section 14). Several ranges are answered with the whole, as the RFC allows.
import type { IncomingHttpHeaders } from 'node:http'
import type { ByteRange } from '../storage/store.ts'
import { allowsRange, type Validators } from './conditional.ts'

const oneRange = /^bytes=(?:(?<first>\d+)-(?<last>\d*)|-(?<suffix>\d+))$/i

/** Of a representation with `size` bytes, unless If-Range names another. */
export function requestedRange ({ range, 'if-range': ifRange }: IncomingHttpHeaders, size: number, validators: Validators): ByteRange | 'whole' | 'unsatisfiable' {
  return allowsRange(ifRange?.toString(), validators) ? selectRange(range, size) : 'whole'
}

/** Bytes. */
export const lengthOf = ({ start, end }: ByteRange): number => end - start + 1

/** What an answer says of its length: that of the whole, or of the part it has. */
export function lengthHeaders (size: number, range: ByteRange | 'whole'): Record<string, string> {
  if (range === 'whole') return { 'content-length': String(size) }
  return { 'content-length': String(lengthOf(range)), 'content-range': `bytes ${range.start}-${range.end}/${size}` }
}

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
