import sharp from 'sharp'
import t from 'tap'
import { identiconSvg } from '../../../src/images/fallback/identicon.ts'
import { contrast } from './contrast.ts'

const seeds = Array.from({ length: 1500 }, (_, index) => `user-${index}`)

t.test('the same for the same seed, another for another', async (t) => {
  t.equal(identiconSvg('ada'), identiconSvg('ada'))
  t.equal(new Set(seeds.map(identiconSvg)).size, seeds.length)
})

t.test('shapes alone, whatever the seed', async (t) => {
  for (const seed of ['', 'ada', '<script>"', '\ud800', 'x'.repeat(100_000)]) {
    t.match(identiconSvg(seed), /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="100" height="100" viewBox="0 0 100 100"><rect [^<>]+\/>(<path fill="#[0-9a-f]{6}" d="[-0-9.MLAZa ,]+"\/>)+<\/svg>$/, seed.slice(0, 9))
  }
})

t.test('every shape has a contrast of 3 : 1 to the ground', async (t) => {
  let lowest = Infinity
  for (const seed of seeds) {
    const [ground = '', ...shapes] = [...identiconSvg(seed).matchAll(/fill="(#[0-9a-f]{6})"/g)].map(([, colour = '']) => colour)
    t.ok(shapes.length > 0 || t.fail(seed))
    lowest = Math.min(lowest, ...shapes.map((shape) => contrast(shape, ground)))
  }
  t.ok(lowest >= 3, `${lowest}`)
})

t.test('a round frame cuts nothing off, and there is no transparency', async (t) => {
  const { data, info } = await sharp(Buffer.from(identiconSvg('ada'))).raw().toBuffer({ resolveWithObject: true })
  t.same([info.width, info.height, info.channels], [100, 100, 4])
  for (let pixel = 0; pixel < 10_000; pixel++) {
    const colour = [...data.subarray(pixel * 4, pixel * 4 + 4)]
    if (colour[3] !== 255) t.fail(`transparent at ${pixel}`)
    const isOutside = Math.hypot(pixel % 100 - 49.5, Math.floor(pixel / 100) - 49.5) > 50.5
    if (isOutside && colour[0] !== 0xf2) t.fail(`cut off at ${pixel}`)
  }
})
