import { test } from 'tap'
import { fromGamma } from '../../src/images/gamma.ts'

const shown = (gamma: number, ...rgba: number[]) => {
  const pixels = Buffer.from(rgba)
  fromGamma(gamma)?.(pixels)
  return [...pixels]
}

test('one light comes out alike, whatever the gamma it was written with', (t) => {
  const light = 0.3
  for (const gamma of [35_000, 55_000, 70_000, 100_000, 250_000]) {
    const sample = Math.round(255 * light ** (gamma / 100_000))
    const [red = 0, green, blue, alpha] = shown(gamma, sample, sample, sample, sample)
    // sRGB's value for it is 148.9; a sample is rounded before.
    t.ok(Math.abs(red - 149) <= 1, `${gamma}: ${sample} is shown as ${red}`)
    t.strictSame([green, blue, alpha], [red, red, sample], 'alpha is no light')
  }
  t.end()
})

test('black and white stay so', (t) => {
  for (const gamma of [1, 35_000, 250_000, 0xffffffff]) t.strictSame(shown(gamma, 0, 255, 0, 9, 255, 0, 255, 0), [0, 255, 0, 9, 255, 0, 255, 0], `gamma ${gamma}`)
  t.end()
})

test('what means sRGB changes nothing, and neither does what means nothing', (t) => {
  for (const gamma of [0, 45_455, 45_454, 45_000, 46_000]) t.equal(fromGamma(gamma), undefined, `gamma ${gamma}`)
  for (const gamma of [44_000, 47_000]) t.type(fromGamma(gamma), 'function', `gamma ${gamma}`)
  t.end()
})
