// Metadata in GIF (GIF89a): a chain of blocks, images and extensions, up to a trailer.
import { colourTableBytes, endOfSubBlocks } from '../gif-blocks.ts'
import { afterZeros, type Bytes, readExactly } from './bytes.ts'
import { createRemoval, type Kind, type Plan, type Removal } from './removal.ts'
import { unreadable } from './unreadable.ts'

const blocks = { extension: 0x21, image: 0x2c, trailer: 0x3b, padding: 0x00 }
const extensions = { plainText: 0x01, graphicControl: 0xf9, comment: 0xfe, application: 0xff }

const kindByApplication: ReadonlyMap<string, Kind | 'loop' | 'needed'> = new Map([
  ['NETSCAPE2.0', 'loop'],
  ['ANIMEXTS1.0', 'loop'],
  ['ICCRGBG1012', 'needed'],
  ['XMP DataXMP', 'xmp'],
  ['MGKIPTC0000', 'iptc'],
  ['MGK8BIM0000', 'iptc'],
])
/** Another file, an image, or what says how to show one. */
const goesOn = /^(GIF8|,|!\xf9)/

const applicationBytes = 11
const graphicControlBytes = 4
const loopBytes = 3

/**
 * The trailer is demanded: decoders show a file that was cut off without a word.
 * @throws METADATA_UNREADABLE
 */
export function planGif (bytes: Bytes): Plan {
  const head = readExactly(bytes, 0, 13)
  if (!/^GIF8[79]a/.test(head.toString('latin1', 0, 6))) throw unreadable('it is no GIF file')
  const removal = createRemoval(bytes)
  let at = head.length + colourTableBytes(head.readUInt8(10))
  let hasImage = false
  for (;;) {
    removal.pass()
    const start = at
    const block = readExactly(bytes, start, 1).readUInt8()
    at = endOfBlock(bytes, block, start)
    if (block === blocks.trailer) break
    if (block === blocks.image) hasImage = true
    if (block === blocks.extension) judge(bytes, removal, start, at)
  }
  if (!hasImage || goesOn.test(bytes.read(afterZeros(bytes, at), 4).toString('latin1'))) throw unreadable('it ends before its pixels')
  removal.cutUnlessPadding(at, bytes.size)
  return removal.plan()
}

function endOfBlock (bytes: Bytes, block: number, start: number): number {
  if (block === blocks.trailer || block === blocks.padding) return start + 1
  if (block === blocks.extension) return endOfWholeSubBlocks(bytes, start + 2)
  if (block !== blocks.image) throw unreadable(`no block can stand at ${start}`)
  const codeSizeAt = start + 10 + colourTableBytes(readExactly(bytes, start, 10).readUInt8(9))
  return endOfWholeSubBlocks(bytes, codeSizeAt + 1)
}

function endOfWholeSubBlocks (bytes: Bytes, start: number): number {
  const end = endOfSubBlocks(bytes, start)
  if (end === undefined) throw unreadable(`it ends at ${bytes.size}, within what begins at ${start}`)
  return end
}

/** Of what says how to show something, the first sub-block is read, which is of one length; the others go. */
function judge (bytes: Bytes, removal: Removal, start: number, end: number): void {
  const kind = kindOf(bytes, start)
  if (kind === 'needed') return
  const [firstAt, length] = kind === 'control' ? [start + 2, graphicControlBytes] : [start + 3 + applicationBytes, loopBytes]
  if (kind !== 'control' && kind !== 'loop') return removal.cut(start, end, kind)
  if (bytes.read(firstAt, 1).readUInt8() !== length) {
    if (kind === 'control') throw unreadable(`nothing is known of such an extension at ${start}`)
    return removal.cut(start, end, 'other')
  }
  const [othersAt, terminatorAt] = [firstAt + 1 + length, end - 1]
  if (othersAt < terminatorAt) removal.cut(othersAt, terminatorAt, 'other')
}

function kindOf (bytes: Bytes, start: number): Kind | 'control' | 'loop' | 'needed' {
  const label = readExactly(bytes, start + 1, 1).readUInt8()
  if (label === extensions.graphicControl) return 'control'
  if (label === extensions.comment || label === extensions.plainText) return 'comment'
  if (label !== extensions.application) return 'other'
  const [length, ...application] = bytes.read(start + 2, 1 + applicationBytes)
  return (length === applicationBytes && kindByApplication.get(String.fromCharCode(...application))) || 'other'
}
