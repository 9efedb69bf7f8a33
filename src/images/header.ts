// Width and height out of the first bytes of a GIF or WebP file, for heads that are cut off: the image library wants those two whole.
import type { Dimensions } from './measure.ts'

/** Undefined when it is neither, or too short. EXIF orientation, which WebP keeps at its end, is not known here. */
export function sizeInHeader (head: Buffer): Dimensions | undefined {
  if (head.length < 30) return undefined
  const magic = head.toString('latin1', 0, 16)
  if (/^GIF8[79]a/.test(magic)) return size(head.readUInt16LE(6), head.readUInt16LE(8))
  const [, form] = /^RIFF[^]{4}WEBP(VP8[ LX])/.exec(magic) ?? []
  return form === undefined ? undefined : sizeOfWebp(form, head)
}

/** RFC 9649 sections 2.5 to 2.7; RFC 6386 section 9.1. */
function sizeOfWebp (form: string, head: Buffer): Dimensions | undefined {
  if (form === 'VP8X') return size(head.readUIntLE(24, 3) + 1, head.readUIntLE(27, 3) + 1)
  if (form === 'VP8 ') return size(head.readUInt16LE(26) & 0x3fff, head.readUInt16LE(28) & 0x3fff)
  const bits = head.readUInt32LE(21)
  return size((bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1)
}

const size = (width: number, height: number) => width > 0 && height > 0 ? { width, height } : undefined
