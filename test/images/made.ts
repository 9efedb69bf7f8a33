// Pictures made for tests: files on disk, and what is seen in them.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import realSharp, { type Sharp } from 'sharp'
import type { Test } from 'tap'
import { chunk, chunksOf, pngSignature } from '../../src/images/png-chunks.ts'
import type { PictureFile, PictureType } from '../../src/images/types.ts'

export type Colour = readonly [number, number, number]

const colours = { red: [220, 40, 40], green: [40, 180, 60], blue: [50, 70, 210], white: [240, 240, 240] } as const

export async function file (t: Test, bytes: Buffer | Promise<Buffer>, contentType: PictureType): Promise<PictureFile> {
  const folder = await mkdtemp(join(tmpdir(), 'upload-gateway-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'picture')
  await writeFile(path, await bytes)
  return { path, contentType }
}

/** Of one colour. */
export const plain = (width: number, height: number, background: string | { r: number, g: number, b: number, alpha: number } = 'red'): Sharp =>
  realSharp({ create: { width, height, channels: typeof background === 'string' ? 3 : 4, background } })

/** Red, green, blue and white in its corners, in the order of reading. */
export function quarters (width: number, height: number): Sharp {
  const rgb = Buffer.alloc(width * height * 3)
  for (let at = 0; at < rgb.length; at += 3) {
    const [x, y] = [(at / 3) % width, Math.floor(at / 3 / width)]
    rgb.set(Object.values(colours)[(y < height / 2 ? 0 : 2) + (x < width / 2 ? 0 : 1)] ?? [], at)
  }
  return realSharp(rgb, { raw: { width, height, channels: 3 } })
}

/** Without alpha; fractions of width and height. */
export async function colourAt (picture: Buffer | Sharp, x: number, y: number): Promise<Colour> {
  const { data, info } = await (Buffer.isBuffer(picture) ? realSharp(picture) : picture).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  const at = (Math.floor(y * info.height) * info.width + Math.floor(x * info.width)) * info.channels
  return [data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0]
}

export async function corners (picture: Buffer): Promise<string[]> {
  const seen = []
  for (const [x, y] of [[0.1, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.9]] as const) seen.push(nameOf(await colourAt(picture, x, y)))
  return seen
}

const nameOf = (colour: Colour): string => Object.entries(colours).find(([, known]) => isNear(colour, known, 24))?.[0] ?? colour.join()

export const isNear = (one: readonly number[], other: readonly number[], by = 6): boolean => one.every((value, index) => Math.abs(value - (other[index] ?? 0)) <= by)

export async function animation (format: 'gif' | 'webp', frames: Sharp[], settings: { delay?: number[], loop?: number } = {}): Promise<Buffer> {
  const pngs = await Promise.all(frames.map((frame) => frame.png().toBuffer()))
  return realSharp(pngs, { join: { animated: true } }).toFormat(format, settings).toBuffer()
}

export type MadeFrame = { picture: Sharp, left?: number, top?: number, /** Seconds, as a fraction. */ delay?: readonly [number, number], dispose?: number, blend?: number }

/** Frames of the depth and colour type of the first; `isHidden`: the first is shown by those alone who know no animation. */
export async function apng (frames: MadeFrame[], { isHidden, plays = 0, declared, between = [] }: { isHidden?: boolean, plays?: number, declared?: number, between?: Buffer[] } = {}): Promise<Buffer> {
  const pieces: Buffer[] = [pngSignature]
  const count = declared ?? frames.length - (isHidden ? 1 : 0)
  let sequence = 0
  for (const [index, { picture, left = 0, top = 0, delay: [seconds, parts] = [100, 1000], dispose = 0, blend = 0 }] of frames.entries()) {
    const chunks = [...chunksOf(await picture.png().toBuffer())]
    const contentOf = (wanted: string) => Buffer.concat(chunks.filter(({ type }) => type === wanted).map(({ content }) => content))
    if (index === 0) pieces.push(chunk('IHDR', contentOf('IHDR')), chunk('acTL', numbers(count, plays)), ...between)
    const size = contentOf('IHDR').subarray(0, 8)
    const timing = Buffer.alloc(4)
    timing.writeUInt16BE(seconds, 0)
    timing.writeUInt16BE(parts, 2)
    if (index > 0 || !isHidden) pieces.push(chunk('fcTL', Buffer.concat([numbers(sequence++), size, numbers(left, top), timing, Buffer.from([dispose, blend])])))
    pieces.push(index === 0 ? chunk('IDAT', contentOf('IDAT')) : chunk('fdAT', Buffer.concat([numbers(sequence++), contentOf('IDAT')])))
  }
  return Buffer.concat([...pieces, chunk('IEND', Buffer.alloc(0))])
}

function numbers (...values: number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 4)
  values.forEach((value, index) => buffer.writeUInt32BE(value, index * 4))
  return buffer
}

/** Puts a chunk behind the header of a PNG file. */
export function withChunk (png: Buffer, type: string, content: Buffer | number[]): Buffer {
  return Buffer.concat([png.subarray(0, 33), chunk(type, Buffer.from(content)), png.subarray(33)])
}
