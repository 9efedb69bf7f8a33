// Animations: all frames cut and scaled alike.
import type { Region } from 'sharp'
import { composed } from './apng-canvas.ts'
import { splitApng } from './apng.ts'
import { maxAnimatedPixelsOut } from './limits.ts'
import type { Source } from './open.ts'
import { cutOf, take, type Cut, type Pixels, type Shape } from './scale.ts'
import { sharp } from './sharp.ts'
import { allBytes } from './with-bytes.ts'

/** `rgba` has all frames below one another; width and height are those of one. */
export type Motion = Pixels & {
  /** Milliseconds, of each frame. */
  readonly delays: readonly number[]
  /** How often it is played; 0: for ever. */
  readonly loop: number
}

/** The frames of a source that can move. Many of them come out smaller than asked for. */
export async function motionOf (source: Source, shape: Shape): Promise<Motion> {
  const size = Math.min(shape.size, Math.floor(Math.sqrt(maxAnimatedPixelsOut / source.header.frames)))
  const cut = await inPlace(source, cutOf(source.header, { ...shape, size }))
  const motion = source.contentType === 'image/png' ? await motionOfApng(source, cut) : await motionOfLibrary(source, cut)
  source.toSrgb?.(motion.rgba)
  return motion
}

/** The library finds what draws attention in single pictures alone: what it finds in the first frame is shown of all. */
async function inPlace (source: Source, cut: Cut): Promise<Cut> {
  if (cut.position !== 'attention') return cut
  const { info } = await take(source.still(), cut, source.header).raw().toBuffer({ resolveWithObject: true })
  const { width, height } = source.header
  const side = Math.min(width, height)
  const scale = side / cut.width
  const offset = (cropped: number | undefined, room: number) => Math.min(room, Math.round(-(cropped ?? 0) * scale))
  const region: Region = { left: offset(info.cropOffsetLeft, width - side), top: offset(info.cropOffsetTop, height - side), width: side, height: side }
  return { ...cut, region, position: 'centre' }
}

async function motionOfLibrary (source: Source, cut: Cut): Promise<Motion> {
  const { data: rgba } = await take(source.allFrames(), cut, source.header).raw().toBuffer({ resolveWithObject: true })
  const { delays = [], loop = 0 } = source
  return { rgba, width: cut.width, height: cut.height, delays, loop }
}

async function motionOfApng (source: Source, cut: Cut): Promise<Motion> {
  const { frames, loop } = splitApng(await allBytes(source))
  const { width, height } = source.header
  const scaled: Buffer[] = []
  for await (const canvas of composed(frames, { width, height })) {
    scaled.push(await take(sharp(canvas, { raw: { width, height, channels: 4 } }), cut, source.header).raw().toBuffer())
  }
  return { rgba: Buffer.concat(scaled), width: cut.width, height: cut.height, delays: frames.map(({ delay }) => delay), loop }
}
