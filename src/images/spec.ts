// Which variant of a picture is meant: its shape, size, format and crop, and the name it is kept under.

/** A part of the upright picture, as fractions (0 to 1) of its width and height. */
export type Crop = { readonly x: number, readonly y: number, readonly width: number, readonly height: number }

export type VariantSpec = {
  readonly shape: 'square' | 'inside'
  /** Pixels of the longest side; a picture that is smaller stays so. */
  readonly size: number
  /** `auto`: JPEG, or PNG where there is transparency. */
  readonly format: 'avif' | 'webp' | 'jpeg' | 'png' | 'auto'
  readonly isAnimated: boolean
  readonly crop?: Crop
}

/** Few, so that the variants of a picture stay few, whatever clients ask for. */
export const avatarSizes = [32, 64, 96, 128, 256, 512, 1024] as const
export const previewSizes = [320, 640, 800, 1280] as const

/** The smallest of `sizes`, which ascend, that is at least `wanted`; the largest where none is. */
export function snapUp (wanted: number, sizes: readonly [number, ...number[]]): number {
  return sizes.find((size) => size >= wanted) ?? Math.max(...sizes)
}

/** Crops are whole ten-thousandths of a side: at most a pixel of the largest picture, and one spelling each. */
const steps = 10_000

// As programs print numbers: 0.25, 1, .5, 1e-7, and the -1e-17 that subtracting leaves of nothing.
const fraction = '-?(?:\\d(?:\\.\\d{0,25})?|\\.\\d{1,25})(?:[eE]-\\d{1,3})?'

/** What `parseCrop` reads, before it looks whether the part lies in the picture. */
export const cropPattern = `^${fraction}(?:, ?${fraction}){3}$`
const cropForm = new RegExp(cropPattern)

/** Reads `x,y,width,height`; undefined when it is of another form, empty, or reaches out of the picture. */
export function parseCrop (text: string): Crop | undefined {
  if (!cropForm.test(text)) return undefined
  const [x = 0, y = 0, width = 0, height = 0] = text.split(',').map(Number)
  // Edges, not lengths, are rounded: 0.33333 + 0.66667 is still the right edge.
  const [left, right, top, bottom] = [x, x + width, y, y + height].map((edge) => Math.round(edge * steps)) as [number, number, number, number]
  if (left < 0 || top < 0 || right > steps || bottom > steps || right <= left || bottom <= top) return undefined
  return { x: Math.abs(left) / steps, y: Math.abs(top) / steps, width: (right - left) / steps, height: (bottom - top) / steps }
}

/** What `parseCrop` reads as the same crop. */
export function formatCrop ({ x, y, width, height }: Crop): string {
  return [x, y, width, height].join(',')
}

/** Raised whenever the same spec comes out as other bytes, so that nothing older is served for it. */
const rendering = 1

/** The name that a picture is kept under which all variants are made of, as `master.ts` makes it. */
export const masterName = `v${rendering}-master.auto`

/**
 * A name for the file of the variant: the same spec has always the same, another one another, as far as crops from `parseCrop` go.
 * Lower-case letters, digits, `-` and `.` alone.
 */
export function variantName ({ shape, size, format, isAnimated, crop }: VariantSpec): string {
  const words = [
    `v${rendering}`, shape, size,
    ...(crop === undefined ? [] : ['crop', ...[crop.x, crop.y, crop.width, crop.height].map((part) => Math.round(part * steps))]),
    ...(isAnimated ? ['animated'] : []),
  ]
  return `${words.join('-')}.${format}`
}
