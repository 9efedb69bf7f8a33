// Samples that are a power of the light (gAMA of PNG Specification, Third Edition, section 11.3.2.2), as sRGB.
import { valueOf } from './srgb.ts'

/** What files say that mean sRGB, and how far from it no difference is seen: two of 255 values. */
const gammaOfSrgb = 45_455
const tolerance = 0.02

/** Changes pixels in place. `gamma` is the exponent times 100 000. Undefined where nothing is to do: 0 says nothing. */
export function fromGamma (gamma: number): ((rgba: Buffer) => void) | undefined {
  if (gamma === 0 || Math.abs(gamma / gammaOfSrgb - 1) <= tolerance) return undefined
  const values = Uint8Array.from({ length: 256 }, (_, sample) => Math.round(255 * valueOf((sample / 255) ** (100_000 / gamma))))
  return (rgba) => {
    for (let at = 0; at < rgba.length; at += 4) {
      rgba[at] = values[rgba[at] as number] as number
      rgba[at + 1] = values[rgba[at + 1] as number] as number
      rgba[at + 2] = values[rgba[at + 2] as number] as number
    }
  }
}
