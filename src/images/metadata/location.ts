// Finds out whether bytes that are going to be removed tell where somebody was: only to be able to say so.
import type { Bytes } from './bytes.ts'
import { readExif } from './exif.ts'

/** XMP's and QuickTime's names for coordinates; what a phone's film (the second half of a moving photo) gives them in; and the beginning of an EXIF block. */
const signs = /GPS(?:Latitude|Longitude|Coordinates|Position)|location\.ISO6709|\xa9xyz[^]{4}[+-]\d|Exif\0\0/g
const longestSign = 16
const stepBytes = 64 * 1024
// Each costs a read: a file full of them is hostile.
const maxExifBlocks = 16

/** Whether [start, end) of the file has coordinates in plain sight: in text, or in an EXIF block with its prefix. */
export function tellsLocation (bytes: Bytes, start: number, end: number): boolean {
  let exifBlocks = 0
  for (let at = start; at < end; at += stepBytes) {
    const text = bytes.read(at, Math.min(stepBytes + longestSign, end - at)).toString('latin1')
    for (const { 0: sign, index } of text.matchAll(signs)) {
      if (!sign.startsWith('Exif')) return true
      if (++exifBlocks <= maxExifBlocks && readExif(bytes, at + index, end).hasLocation) return true
    }
  }
  return false
}
