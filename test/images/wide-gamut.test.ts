import { test } from 'tap'
import { fromDisplayP3, fromRec2020 } from '../../src/images/wide-gamut.ts'

const converter = (conversion: (rgba: Buffer) => void) => (...rgba: number[]) => {
  const pixels = Buffer.from(rgba)
  conversion(pixels)
  return [...pixels]
}

test('colours of Display P3 that sRGB has keep their look, others become the nearest, and transparency stays', async (t) => {
  const convert = converter(fromDisplayP3)
  t.strictSame(convert(0, 0, 0, 7, 255, 255, 255, 255, 128, 128, 128, 0), [0, 0, 0, 7, 255, 255, 255, 255, 128, 128, 128, 0])
  // sRGB's own red, green and blue, as Display P3 spells them.
  t.strictSame(convert(234, 51, 35, 255), [255, 0, 0, 255])
  t.strictSame(convert(255, 0, 0, 255, 0, 255, 0, 255), [255, 0, 0, 255, 0, 255, 0, 255])
  t.strictSame(convert(117, 251, 76, 255).map((value) => Math.round(value / 8)), [0, 32, 0, 32])
})

test('and so do those of Rec. 2020', async (t) => {
  const convert = converter(fromRec2020)
  t.strictSame(convert(0, 0, 0, 7, 255, 255, 255, 255, 128, 128, 128, 0), [0, 0, 0, 7, 255, 255, 255, 255, 128, 128, 128, 0])
  // sRGB's own red, green and blue, as Rec. 2020 spells them with the curve of sRGB.
  for (const [spelled, own] of [[[208, 74, 34], [255, 0, 0]], [[155, 246, 84], [0, 255, 0]], [[59, 28, 243], [0, 0, 255]]] as const) {
    const seen = convert(...spelled, 9)
    t.ok(own.every((value, index) => Math.abs(value - (seen[index] ?? 0)) <= 2), `${spelled} is shown as ${seen}`)
  }
  t.strictSame(convert(255, 0, 0, 255, 0, 255, 0, 255), [255, 0, 0, 255, 0, 255, 0, 255])
  t.strictSame(convert(200, 100, 50, 255), [241, 76, 29, 255])
})
