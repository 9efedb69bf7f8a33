// What clients may ask of a picture in the query of its address, and say of one they send; and the variant that comes of it.
import { Type, type Static } from 'typebox'
import { avatarSizes, cropPattern, previewSizes, snapUp, type Crop, type VariantSpec } from './spec.ts'

const kinds = {
  avatar: { shape: 'square', sizes: avatarSizes },
  preview: { shape: 'inside', sizes: previewSizes },
} as const

const size = (of: string, sizes: readonly number[]) => Type.Integer({ minimum: 1, description: `Pixels of ${of}: the next of ${sizes.join(', ')}, and never more than the picture has.` })
const format = Type.Enum(['avif', 'webp', 'jpeg', 'png'], { description: 'Default: the best of AVIF, WebP and JPEG, or PNG, that the Accept header names; with no size and no motion asked for either, the stored bytes. Name one behind caches that ignore Vary.' })
const animated = Type.Boolean({ description: 'true: keep the motion of an animation, as WebP; for who names WebP in Accept, or as the format. Others stand still.' })

const variantQuery = (of: string, sizes: readonly number[]) => ({ size: Type.Optional(size(of, sizes)), format: Type.Optional(format), animated: Type.Optional(animated) })

/** Of an attachment. Other parameters are let through: clients add their own to get past caches. */
export const PreviewQuery = Type.Object(variantQuery('the longest side', previewSizes))

/** Of an avatar. */
export const VariantQuerySchema = Type.Object(variantQuery('the square', avatarSizes))

export type VariantQuery = Static<typeof VariantQuerySchema>

export const AvatarQuery = Type.Object({
  ...VariantQuerySchema.properties,
  fallback: Type.Optional(Type.Enum(['initials', 'identicon', '404'], { description: 'What to draw for a user who has no picture: initials (an identicon where no letter of the name can be drawn), or an identicon; as SVG unless a size or a format is asked for. 404, which is the default, draws nothing.' })),
  name: Type.Optional(Type.String({ maxLength: 256, description: 'Whose initials to draw, instead of those of the name that the gateway knows.' })),
})

/** Of a picture that is sent; whether the part lies in it is for `parseCrop` to say. */
export const CropText = Type.String({
  pattern: cropPattern, maxLength: 160, 'x-allowed': 'x,y,width,height as fractions of the upright picture', description: 'The part that square sizes show: x,y,width,height as fractions (0 to 1) of the upright picture, such as 0.1,0,0.8,0.8.',
})

export const MetadataChoice = Type.Enum(['keep', 'remove'], { description: 'keep: store the bytes as they are sent. remove: without location, names and the like; the pixels stay the same.' })

/** What is stored, as far as it is known. Pixels are as shown: upright. */
export type Picture = {
  readonly width: number | null
  readonly height: number | null
  readonly frames?: number | undefined
  readonly crop?: Crop | undefined
}

type Wanted = { readonly kind: keyof typeof kinds, readonly picture: Picture, /** What negotiation came to; it counts where the query names no format. */ readonly accepted: 'avif' | 'webp' | 'auto' }

/** The variant that is asked for: of a size not said the largest of its kind, of formats that cannot move a still one. */
export function specOf (query: VariantQuery, { kind, picture, accepted }: Wanted): VariantSpec {
  const { shape, sizes } = kinds[kind]
  // Nothing but WebP moves, and whatever takes AVIF takes WebP; but who asks for AVIF by name is to get it.
  const moving = query.format ?? (accepted === 'avif' ? 'webp' : accepted)
  const isAnimated = query.animated === true && moving === 'webp' && picture.frames !== 1
  // All sizes over that of the picture come out the same: let them be one.
  const longest = Math.max(picture.width ?? 0, picture.height ?? 0) || Infinity
  return {
    shape,
    size: snapUp(Math.min(query.size ?? Infinity, longest), sizes),
    format: isAnimated ? moving : query.format ?? accepted,
    isAnimated,
    ...(picture.crop !== undefined && { crop: picture.crop }),
  }
}

/** Whether the query asks for a variant at all; if not, the stored bytes are meant. */
export function asksForVariant ({ size, format, animated }: VariantQuery): boolean {
  return size !== undefined || format !== undefined || animated !== undefined
}
