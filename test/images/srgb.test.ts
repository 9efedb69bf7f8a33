import { test } from 'tap'
import { lightOf, valueOf } from '../../src/images/srgb.ts'

test('light and values follow the curve of sRGB', (t) => {
  for (const [value, light] of [[0, 0], [1, 1], [0.5, 0.214041], [0.04045, 0.00313080], [0.02, 0.00154799]] as const) {
    t.ok(Math.abs(lightOf(value) - light) < 1e-6, `${value} is light of ${lightOf(value)}`)
    t.ok(Math.abs(valueOf(light) - value) < 1e-5, `light of ${light} is ${valueOf(light)}`)
  }
  t.end()
})

test('there and back is where it began', (t) => {
  for (let value = 0; value < 256; value++) t.equal(Math.round(255 * valueOf(lightOf(value / 255))), value)
  t.end()
})
