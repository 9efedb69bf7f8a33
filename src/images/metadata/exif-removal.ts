// Takes an EXIF block out of whatever holds it, and leaves one that says which way is up where that matters.
import type { Bytes } from './bytes.ts'
import { orientationOnly, readExif } from './exif.ts'
import type { Removal } from './removal.ts'

export type ExifBlock = {
  /** Where the block is, ... */
  readonly contentStart: number
  readonly contentEnd: number
  /** ... and what holds it: a segment or chunk, whole. */
  readonly start: number
  readonly end: number
  /** Whether decoders look at it: the first one they look at, as a rule, and no other. */
  readonly isHeeded: boolean
  /** Makes a segment or chunk of a new block. */
  readonly frame: (content: Buffer) => Buffer
}

/** Tells whether there is still an EXIF block where this one is. */
export function removeExif (bytes: Bytes, removal: Removal, { contentStart, contentEnd, start, end, isHeeded, frame }: ExifBlock): boolean {
  const { orientation, isPrefixed, isImpersonal, hasLocation, hasThumbnail } = readExif(bytes, contentStart, contentEnd)
  if (isHeeded && isImpersonal) return true
  removal.tell('exif')
  if (hasLocation) removal.tell('location')
  if (hasThumbnail) removal.tell('thumbnail')
  const isTurned = isHeeded && orientation !== undefined
  removal.replace(start, end, isTurned ? frame(orientationOnly(orientation, isPrefixed)) : new Uint8Array(0))
  return isTurned
}
