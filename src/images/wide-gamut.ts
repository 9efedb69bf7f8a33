// Colours of wider spaces as sRGB. What sRGB cannot show becomes the nearest it can, sample by sample.
import { lightOf, valueOf } from './srgb.ts'

/** Row by row: how much of red, green and blue light each of sRGB's is. */
type Matrix = readonly [red: Row, green: Row, blue: Row]
type Row = readonly [red: number, green: number, blue: number]

/** CSS Color 4, section 18: to XYZ and from there to sRGB. */
const fromP3: Matrix = [[1.2249402, -0.2249402, 0], [-0.0420570, 1.0420570, 0], [-0.0196376, -0.0786360, 1.0982736]]
const fromBt2020: Matrix = [[1.6604910, -0.5876411, -0.0728499], [-0.1245505, 1.1328999, -0.0083494], [-0.0181508, -0.1005789, 1.1187297]]

/** Both change pixels in place, RGB of 8 bits with alpha; their samples are of sRGB's curve, as those that come out. */
export const fromDisplayP3 = conversion(fromP3)
export const fromRec2020 = conversion(fromBt2020)

function conversion ([toRed, toGreen, toBlue]: Matrix): (rgba: Buffer) => void {
  return (rgba) => {
    for (let at = 0; at < rgba.length; at += 4) {
      const red = linear[rgba[at] as number] as number
      const green = linear[rgba[at + 1] as number] as number
      const blue = linear[rgba[at + 2] as number] as number
      rgba[at] = shown(toRed[0] * red + toRed[1] * green + toRed[2] * blue)
      rgba[at + 1] = shown(toGreen[0] * red + toGreen[1] * green + toGreen[2] * blue)
      rgba[at + 2] = shown(toBlue[0] * red + toBlue[1] * green + toBlue[2] * blue)
    }
  }
}

const shown = (light: number) => encoded[Math.round(Math.min(1, Math.max(0, light)) * steps)] as number

// Fine enough for the darkest, where one value of sRGB is 1/3295 of the light.
const steps = 1 << 14

/** The light of each value. */
const linear = Float64Array.from({ length: 256 }, (_, value) => lightOf(value / 255))

/** The value nearest to each step of light. */
const encoded = Uint8Array.from({ length: steps + 1 }, (_, step) => Math.round(255 * valueOf(step / steps)))
