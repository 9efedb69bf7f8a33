// Parts of picture files, well-formed and ill-formed, and what a plan makes of a file.
import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { applyEdits } from '../../../src/images/metadata/apply.ts'
import { bytesInMemory, type Bytes } from '../../../src/images/metadata/bytes.ts'
import type { Plan } from '../../../src/images/metadata/removal.ts'
import { collect } from '../../fixtures/collect.ts'

/** One tag of an EXIF block: its number, its type, how many values it has, and their bytes. */
export type Tag = readonly [tag: number, type: number, count: number, value: Buffer]

export const orientationTag = (orientation: number): Tag => [0x0112, 3, 1, Buffer.from([0, orientation])]
export const artistTag = (name: string): Tag => [0x013b, 2, name.length + 1, Buffer.from(`${name}\0`)]
export const latitudeTag: Tag = [0x0002, 5, 3, Buffer.from('0000003300000001' + '0000001e00000001' + '0000000000000001', 'hex')]

/** An EXIF block without its prefix, big-endian. Directories stand behind one another, then the values that are longer than four bytes. */
export function tiff ({ main = [], exif, gps, thumbnail }: { main?: readonly Tag[], exif?: readonly Tag[], gps?: readonly Tag[], thumbnail?: readonly Tag[] }): Buffer {
  const pointer = (tag: number): Tag => [tag, 4, 1, Buffer.alloc(4)]
  const first = [...main, ...exif ? [pointer(0x8769)] : [], ...gps ? [pointer(0x8825)] : []]
  const directories = [first, ...[exif, gps, thumbnail].filter((one) => one !== undefined)]
  const starts = directories.map((_, index) => 8 + directories.slice(0, index).reduce((sum, { length }) => sum + 6 + length * 12, 0))
  let file = Buffer.concat([Buffer.from('MM\0*\0\0\0\x08'), Buffer.alloc(directories.reduce((sum, { length }) => sum + 6 + length * 12, 0))])
  directories.forEach((tags, index) => {
    const start = starts[index] ?? 0
    file.writeUInt16BE(tags.length, start)
    tags.forEach(([tag, type, count, value], row) => {
      const at = start + 2 + row * 12
      file.writeUInt16BE(tag, at)
      file.writeUInt16BE(type, at + 2)
      file.writeUInt32BE(count, at + 4)
      if (tag === 0x8769) file.writeUInt32BE(starts[1] ?? 0, at + 8)
      else if (tag === 0x8825) file.writeUInt32BE(starts[exif ? 2 : 1] ?? 0, at + 8)
      else if (value.length <= 4) value.copy(file, at + 8)
      else {
        file.writeUInt32BE(file.length, at + 8)
        file = Buffer.concat([file, value])
      }
    })
  })
  if (thumbnail) file.writeUInt32BE(starts.at(-1) ?? 0, 8 + 2 + first.length * 12)
  return file
}

/** Of somebody's phone, who was somewhere. */
export const personalTiff = (orientation: number): Buffer => tiff({ main: [orientationTag(orientation), artistTag('Ada Lovelace')], gps: [latitudeTag] })

export const exifPrefix = Buffer.from('Exif\0\0')

export function jpegSegment (marker: number, content: Buffer | string): Buffer {
  const bytes = Buffer.from(content)
  const head = Buffer.from([0xff, marker, 0, 0])
  head.writeUInt16BE(bytes.length + 2, 2)
  return Buffer.concat([head, bytes])
}

export function pngChunk (type: string, content: Buffer | string): Buffer {
  const body = Buffer.concat([Buffer.from(type), Buffer.from(content)])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(body.length - 4)
  body.copy(framed, 4)
  framed.writeUInt32BE(crc32(body), body.length + 4)
  return framed
}

/** With the byte that makes its length even. */
export function riffChunk (type: string, content: Buffer | string): Buffer {
  const bytes = Buffer.from(content)
  const head = Buffer.from(`${type}\0\0\0\0`)
  head.writeUInt32LE(bytes.length, 4)
  return Buffer.concat([head, bytes, Buffer.alloc(bytes.length % 2)])
}

/** The file with a part put in before `at`; negative counts from its end. */
export function insert (file: Buffer, at: number, ...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([file.subarray(0, at), ...parts, file.subarray(at)])
}

/** The file without its metadata, and what the plan said was removed. */
export async function strip (file: Buffer, planner: (bytes: Bytes) => Plan): Promise<{ file: Buffer, removed: readonly string[] }> {
  const { edits, removed } = planner(bytesInMemory(file))
  return { file: Buffer.concat(await collect(applyEdits(Readable.from([file]), edits))), removed }
}
