// What kind of metadata a text chunk of a PNG is, and whether it tells a location that is not in plain sight: compressed, or as hexadecimal digits.
import { inflateSync } from 'node:zlib'
import { type Bytes, bytesInMemory } from './bytes.ts'
import { tellsLocation } from './location.ts'
import type { Kind, Removal } from './removal.ts'

const maxKeywordBytes = 79
const maxTextBytes = 1024 * 1024
// Each may cost maxTextBytes of inflating. Files have one or two.
const maxTextsLookedInto = 8

/** The kind by the keyword; "Raw profile type" is how ImageMagick keeps what PNG had no chunk for. */
const kindByKeyword: ReadonlyMap<string, Kind> = new Map([
  ['XML:com.adobe.xmp', 'xmp'],
  ['Raw profile type xmp', 'xmp'],
  ['Raw profile type exif', 'exif'],
  ['Raw profile type APP1', 'exif'],
  ['Raw profile type iptc', 'iptc'],
  ['Raw profile type 8bim', 'iptc'],
])

/** A function for one tEXt, zTXt or iTXt chunk after the other, whose contents are [start, end) of the file. */
export function createTextJudge (bytes: Bytes, removal: Removal): (type: string, start: number, end: number) => Kind {
  let lookedInto = 0
  return (type, start, end) => {
    const keyword = bytes.read(start, Math.min(maxKeywordBytes + 1, end - start)).toString('latin1').split('\0', 1).join('')
    const kind = kindByKeyword.get(keyword) ?? 'comment'
    if ((kind === 'xmp' || kind === 'exif') && lookedInto++ < maxTextsLookedInto) {
      const textStart = start + keyword.length + 1
      const text = plainText(type, bytes.read(textStart, Math.min(maxTextBytes, end - textStart)))
      if ([text, decodeRawProfile(text)].some((plain) => tellsLocation(bytesInMemory(plain), 0, plain.length))) removal.tell('location')
    }
    return kind
  }
}

/** Where it is compressed and damaged, or longer than is looked into, nothing: it goes all the same. */
function plainText (type: string, rest: Buffer): Buffer {
  const { isCompressed, text } = textIn(type, rest)
  if (!isCompressed) return text
  try {
    return inflateSync(text, { maxOutputLength: maxTextBytes })
  } catch {
    return Buffer.alloc(0)
  }
}

/**
 * PNG Specification, Third Edition, sections 11.3.2.3 and 11.3.3: after the keyword and a zero, iCCP and zTXt have one byte and what is compressed;
 * iTXt a flag, one byte, two more strings and a text.
 */
export function textIn (type: string, rest: Buffer): { isCompressed: boolean, text: Buffer } {
  if (type === 'tEXt') return { isCompressed: false, text: rest }
  if (type !== 'iTXt') return { isCompressed: true, text: rest.subarray(1) }
  return { isCompressed: rest[0] === 1, text: rest.subarray(rest.indexOf(0, rest.indexOf(0, 2) + 1) + 1) }
}

/** A line break, a name, a length in decimal digits, and hexadecimal digits in lines; empty when it is nothing of that sort. */
function decodeRawProfile (text: Buffer): Buffer {
  const [, digits = ''] = /^\n\w+\n *\d+\n([\da-f\n]*)/i.exec(text.toString('latin1')) ?? []
  return Buffer.from(digits.replaceAll('\n', ''), 'hex')
}
