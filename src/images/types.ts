// The types of picture the gateway shows, and what is told of one of them.

export const pictureTypes = ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/avif', 'image/heic', 'image/heif'] as const

export type PictureType = typeof pictureTypes[number]

export const isPictureType = (contentType: string): contentType is PictureType => (pictureTypes as readonly string[]).includes(contentType)

/** Sequences were stored under types of their own, which nothing shows. */
const formerTypes: ReadonlyMap<string, PictureType> = new Map([['image/heic-sequence', 'image/heic'], ['image/heif-sequence', 'image/heif']])

/** All that pictures may be stored under. */
export const storedPictureTypes: readonly string[] = [...pictureTypes, ...formerTypes.keys()]

/** What a file that is stored under this type is called now. */
export const currentType = (contentType: string): string => formerTypes.get(contentType) ?? contentType

/** Which no browser but one shows, and which is slow to decode. */
export const isHeic = (contentType: PictureType): boolean => contentType === 'image/heic' || contentType === 'image/heif'

/** What a job is about. A file that turns out to be of another type is refused. */
export type PictureFile = { readonly path: string, readonly contentType: PictureType }

/** Or what was made of one, in memory. */
export type Picture = PictureFile | { readonly bytes: Buffer, readonly contentType: PictureType }

/** What a file declares; nothing of it is proven before the picture is decoded. */
export type Header = {
  /** Pixels, as shown: upright, and one frame of an animation. */
  readonly width: number
  readonly height: number
  /** 1 of a picture that stands still. */
  readonly frames: number
  /** It may be transparent somewhere. */
  readonly hasAlpha: boolean
  /** A progressive JPEG or an interlaced PNG, all of which is held in memory until it is decoded. */
  readonly isProgressive: boolean
}

/** A picture that was made from another one. */
export type Rendered = {
  readonly bytes: Buffer
  readonly contentType: string
  /** Pixels; one frame of an animation. */
  readonly width: number
  readonly height: number
}
