// Opens pictures of every type for the image library: what they declare, and their pixels.
import type { Metadata, Sharp, SharpOptions } from 'sharp'
import { hasLightProfile } from './apng.ts'
import { conversionToSrgb, type Conversion } from './colours.ts'
import { refuseFrameFlood } from './frame-flood.ts'
import { decodeHeic, heicHeader } from './heic.ts'
import { canMove, maxPixels, refuseTooLarge } from './limits.ts'
import type { Bytes } from './metadata/bytes.ts'
import { decoding, pictureError } from './picture-error.ts'
import { refuseBomb } from './png-bomb.ts'
import { declaredInPng } from './png-chunks.ts'
import { sharp } from './sharp.ts'
import { isHeic, type Header, type Picture, type PictureType } from './types.ts'
import { allBytes, withBytes } from './with-bytes.ts'

export type Source = Picture & {
  readonly header: Header
  /** Its first frame, upright; pixels may be left for `toSrgb`. */
  readonly still: () => Sharp
  /** All frames below one another, of types that the library knows as animations. */
  readonly allFrames: () => Sharp
  /** It is an animation within the limits of those that are shown in motion. */
  readonly canMove: boolean
  /** Milliseconds of each frame, and how often it is played (0: for ever); undefined where the library knows no animations. */
  readonly delays: readonly number[] | undefined
  readonly loop: number | undefined
  /** What is left to do for its colours, once they are RGB of 8 bits. */
  readonly toSrgb: Conversion | undefined
}

/** What the library calls the types; HEIC is opened as the PNG that is made of it. */
const formats: Record<PictureType, string> = {
  'image/jpeg': 'jpeg', 'image/png': 'png', 'image/webp': 'webp', 'image/gif': 'gif', 'image/avif': 'heif', 'image/heic': 'png', 'image/heif': 'png',
}

/**
 * What a picture declares, of any size; nothing of it is decoded.
 * @throws IMAGE_INVALID when it is of another type or has no header that can be read; what the file system throws
 */
export async function headerOf (picture: Picture): Promise<Header> {
  return decoding(picture, async () => {
    if (isHeic(picture.contentType)) return heicHeader(await allBytes(picture))
    return declared(picture, await metadataOf(picture, 'bytes' in picture ? picture.bytes : picture.path))
  })
}

/**
 * `failOn`: how much damage is too much; with `none` what can be decoded of a damaged picture is shown.
 * @throws IMAGE_INVALID, IMAGE_TOO_LARGE; what the file system throws
 */
export async function open (picture: Picture, { failOn = 'error' as 'error' | 'none' } = {}): Promise<Source> {
  const size = withBytes(picture, ({ size }) => size)
  return decoding(picture, async () => {
    const input = isHeic(picture.contentType) ? await decodeHeic(await allBytes(picture)) : 'bytes' in picture ? picture.bytes : picture.path
    const metadata = await metadataOf(picture, input)
    const header = declared(picture, metadata)
    refuseTooLarge(header)
    const pipeline = (options: SharpOptions) => inStandardColours(sharp(input, { failOn, ...options }), metadata)
    return {
      ...picture,
      header,
      still: () => pipeline({ autoOrient: true, limitInputPixels: maxPixels }),
      allFrames: () => pipeline({ pages: header.frames, limitInputPixels: false }),
      // The library turns no animation, and nobody makes them lying on their side.
      canMove: canMove(header, size) && (metadata.orientation ?? 1) === 1 && withBytes(picture, (bytes) => hasLightProfile(bytes, header.frames)),
      delays: metadata.delay,
      loop: metadata.loop,
      toSrgb: metadata.icc === undefined ? withBytes(picture, (bytes) => conversionToSrgb(bytes, picture.contentType)) : undefined,
    }
  })
}

async function metadataOf (picture: Picture, input: string | Buffer): Promise<Metadata> {
  const { contentType } = picture
  withBytes(picture, (bytes) => {
    refuseBomb(bytes)
    refuseFrameFlood(bytes)
  })
  const metadata = await sharp(input, { failOn: 'none', limitInputPixels: false }).metadata()
  const isOther = metadata.format !== formats[contentType] || (contentType === 'image/avif' && metadata.compression !== 'av1')
  if (isOther) throw pictureError('IMAGE_INVALID', `it is no ${contentType} but ${metadata.format}`)
  return metadata
}

function declared (picture: Picture, { autoOrient: { width, height }, pages = 1, hasAlpha, isProgressive }: Metadata): Header {
  // The pages of an AVIF file are other pictures.
  const frames = picture.contentType === 'image/png' ? withBytes(picture, framesOfPng) : picture.contentType === 'image/avif' ? 1 : pages
  return { width, height, frames, hasAlpha, isProgressive }
}

/** PNG Specification, Third Edition, section 11.3.6.1: acTL stands before the pixels. */
function framesOfPng (bytes: Bytes): number {
  const control = declaredInPng(bytes, 'acTL')
  return control?.length === 8 ? Math.max(1, control.readUInt32BE()) : 1
}

/** The library takes 16 bits a channel that have a profile to Display P3, and then calls that sRGB unless an output profile is named. */
function inStandardColours (picture: Sharp, { space, icc }: Metadata): Sharp {
  return space === 'rgb16' && icc ? picture.withIccProfile('srgb', { attach: false }) : picture
}
