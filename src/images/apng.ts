// Takes animated PNG files apart into their frames, each a PNG file (PNG Specification, Third Edition, section 4.9). Decodes nothing.
import { inflateSync } from 'node:zlib'
import { maxAnimatedProfileBytes } from './limits.ts'
import type { Bytes } from './metadata/bytes.ts'
import { textIn } from './metadata/png-text.ts'
import { chunk, chunksOf, contentAt, placesBeforePixels, pngSignature, type Chunk } from './png-chunks.ts'

export type ApngFrame = {
  /** Where on the canvas it is drawn; pixels. */
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
  /** Milliseconds. */
  readonly delay: number
  /** What becomes of its place before the next frame. */
  readonly disposal: 'none' | 'background' | 'previous'
  /** It is drawn over what is there, and not instead of it. */
  readonly isBlended: boolean
  readonly png: Buffer
}

const disposals = ['none', 'background', 'previous'] as const

/** What stands before the pixels and changes how they look, and how many bytes it has at most: each frame gets a copy. */
const shared: ReadonlyMap<string, number> = new Map([['PLTE', 768], ['tRNS', 256], ['iCCP', Infinity], ['gAMA', 4], ['cHRM', 32], ['sRGB', 1], ['sBIT', 4]])

/** Whether each frame can have the profile of a PNG file, if there is one: it is unpacked for every one of them. */
export function hasLightProfile (bytes: Bytes, frames: number): boolean {
  const most = Math.floor(maxAnimatedProfileBytes / frames)
  for (const place of placesBeforePixels(bytes)) if (place.type === 'iCCP') return place.end - place.start <= most && unpacks(contentAt(bytes, place), most)
  return true
}

function unpacks (profile: Buffer, maxOutputLength: number): boolean {
  try {
    inflateSync(textIn('iCCP', profile.subarray(profile.indexOf(0) + 1)).text, { maxOutputLength })
    return true
  } catch {
    return false
  }
}

/** @throws Error when a frame is missing, or does not lie on the canvas */
export function splitApng (file: Buffer): { frames: ApngFrame[], /** How often it is played; 0: for ever. */ loop: number } {
  const chunks = [...chunksOf(file)]
  const [header, control] = ['IHDR', 'acTL'].map((wanted) => chunks.find(({ type }) => type === wanted)?.content)
  if (header?.length !== 13 || control?.length !== 8) throw new Error('it is no animated PNG')
  const ancillary = ancillaryIn(chunks.slice(0, chunks.findIndex(({ type }) => type === 'IDAT')))
  const frames: ApngFrame[] = []
  for (const { settings, data } of framesIn(chunks).slice(0, control.readUInt32BE())) frames.push(frameOf(settings, data, header, ancillary))
  if (frames.length !== control.readUInt32BE()) throw new Error('frames are missing')
  return { frames, loop: control.readUInt32BE(4) }
}

/** Of each type the first, as decoders take them. */
function ancillaryIn (chunks: Chunk[]): Buffer[] {
  const firsts = chunks.filter(({ type }, index) => shared.has(type) && chunks.findIndex((other) => other.type === type) === index)
  return firsts.filter(({ type, content }) => content.length <= (shared.get(type) ?? 0)).map(({ type, content }) => chunk(type, content))
}

/** An fcTL says how what follows it is shown. Pixels before the first are no part of the animation. */
function framesIn (chunks: Chunk[]): Array<{ settings: Buffer, data: Buffer[] }> {
  const frames: Array<{ settings: Buffer, data: Buffer[] }> = []
  for (const { type, content } of chunks) {
    if (type === 'fcTL') frames.push({ settings: content, data: [] })
    else if (type === 'IDAT') frames.at(-1)?.data.push(content)
    // After a number in the sequence, which only the order in the file could contradict.
    else if (type === 'fdAT') frames.at(-1)?.data.push(content.subarray(4))
  }
  return frames
}

function frameOf (settings: Buffer, data: Buffer[], header: Buffer, ancillary: Buffer[]): ApngFrame {
  if (settings.length !== 26 || data.length === 0) throw new Error('a frame is incomplete')
  const [width = 0, height = 0, left = 0, top = 0] = [4, 8, 12, 16].map((at) => settings.readUInt32BE(at))
  const disposal = disposals[settings.readUInt8(24)]
  if (disposal === undefined || left + width > header.readUInt32BE(0) || top + height > header.readUInt32BE(4)) throw new Error('a frame does not fit')
  const ownHeader = Buffer.from(header)
  ownHeader.writeUInt32BE(width, 0)
  ownHeader.writeUInt32BE(height, 4)
  const png = Buffer.concat([pngSignature, chunk('IHDR', ownHeader), ...ancillary, ...data.map((part) => chunk('IDAT', part)), chunk('IEND', Buffer.alloc(0))])
  const delay = 1000 * settings.readUInt16BE(20) / (settings.readUInt16BE(22) || 100)
  return { left, top, width, height, delay: Math.round(delay), disposal, isBlended: settings.readUInt8(25) === 1, png }
}
