import { test } from 'tap'
import { avatarSizes, formatCrop, parseCrop, previewSizes, snapUp, variantName, type VariantSpec } from '../../src/images/spec.ts'

test('a size is snapped up to the next one there is', async (t) => {
  const cases: Array<[wanted: number, avatar: number, preview: number]> = [
    [1, 32, 320], [32, 32, 320], [33, 64, 320], [64, 64, 320], [65, 96, 320], [97, 128, 320], [200, 256, 320], [257, 512, 320], [320, 512, 320], [321, 512, 640],
    [513, 1024, 640], [641, 1024, 800], [801, 1024, 1280], [1024, 1024, 1280], [1025, 1024, 1280], [1281, 1024, 1280], [1e9, 1024, 1280], [Infinity, 1024, 1280],
  ]
  for (const [wanted, avatar, preview] of cases) {
    t.equal(snapUp(wanted, avatarSizes), avatar, `${wanted} of an avatar`)
    t.equal(snapUp(wanted, previewSizes), preview, `${wanted} of a preview`)
  }
})

test('a crop is read as parts of the picture', async (t) => {
  const cases: Array<[text: string, x: number, y: number, width: number, height: number]> = [
    ['0,0,1,1', 0, 0, 1, 1],
    ['0.1,0.2,0.5,0.25', 0.1, 0.2, 0.5, 0.25],
    ['0.1, 0.2, 0.5, 0.25', 0.1, 0.2, 0.5, 0.25],
    ['.5,.5,.5,.5', 0.5, 0.5, 0.5, 0.5],
    ['0.,0.0,1.,1.000', 0, 0, 1, 1],
    ['0.3333333333333333,0,0.6666666666666666,1', 0.3333, 0, 0.6667, 1],
    ['0.7,0.57,0.3,0.43', 0.7, 0.57, 0.3, 0.43],
    ['1e-7,5E-1,1,0.5', 0, 0.5, 1, 0.5],
    ['-1e-17,-0,1,1', 0, 0, 1, 1],
    ['0,0,1.00000000000000022,1', 0, 0, 1, 1],
    ['0.0000012345678901234567,0,1,1', 0, 0, 1, 1],
    ['0.9999,0.9999,0.0001,0.0001', 0.9999, 0.9999, 0.0001, 0.0001],
  ]
  for (const [text, x, y, width, height] of cases) {
    const crop = parseCrop(text)
    t.strictSame(crop, { x, y, width, height }, text)
    t.notOk(Object.is(crop?.x, -0) || Object.is(crop?.y, -0))
  }
})

test('a crop that is none is refused', async (t) => {
  const refused = [
    '', ' ', ',,,', '0,0,1', '0,0,1,1,', '0,0,1,1,1', '0 0 1 1', '0;0;1;1', ' 0,0,1,1', '0,0,1,1\n', '0,0,,1', '0,0,1,', 'a,b,c,d',
    '0x0,0,1,1', '0,0,Infinity,1', '0,0,NaN,1', '+0,0,1,1', '0,0,1e0,1', '0,0,1e5,1', '0,0,0.1.1,1', '0,0,.,1', '٠,0,1,1', '0,0,1_0,1', '0,0,50%,1',
    '0,0,0,1', '0,0,1,0', '0,0,0.00001,1', '0,0,-0.5,1', '-0.1,0,1,1', '0,-0.1,1,1', '0.5,0,0.6,1', '0,0.5,1,0.51', '0,0,1.001,1', '9,9,1,1', '1,0,0.5,1',
    `0,0,${'0'.repeat(50_000)},1`, `0.${'1'.repeat(50_000)},0,1,1`, '0.1,'.repeat(20_000), '-'.repeat(50_000),
  ]
  for (const text of refused) t.equal(parseCrop(text), undefined, JSON.stringify(text.slice(0, 30)))
})

test('every crop that is read lies in the picture, is not empty, and is read again as the same', async (t) => {
  const wrong: string[] = []
  for (let run = 0; run < 20_000; run++) {
    const [x, y] = [Math.random() ** 3, Math.random() ** 9]
    const given = [x, y, Math.random() * (1 - x), Math.random() * (1 - y)]
    const crop = parseCrop(given.join(','))
    if (crop === undefined) {
      if (given.every((part) => part > 1e-4)) wrong.push(given.join(','))
      continue
    }
    const isInside = crop.x >= 0 && crop.y >= 0 && crop.width > 0 && crop.height > 0 && crop.x + crop.width <= 1 + Number.EPSILON && crop.y + crop.height <= 1 + Number.EPSILON
    const isNear = Object.values(crop).every((part, index) => Math.abs(part - (given[index] ?? 0)) <= 1.01e-4)
    if (!isInside || !isNear) wrong.push(given.join(','))
    if (JSON.stringify(parseCrop(formatCrop(crop))) !== JSON.stringify(crop)) wrong.push(formatCrop(crop))
  }
  t.same(wrong, [])
})

test('a variant is kept under a name of its own', async (t) => {
  const crop = { x: 0.1, y: 0.25, width: 0.5, height: 0.3333 }
  const named: Array<[VariantSpec, string]> = [
    [{ shape: 'square', size: 256, format: 'avif', isAnimated: false }, 'v1-square-256.avif'],
    [{ shape: 'inside', size: 1280, format: 'auto', isAnimated: false }, 'v1-inside-1280.auto'],
    [{ shape: 'square', size: 64, format: 'webp', isAnimated: true }, 'v1-square-64-animated.webp'],
    [{ shape: 'square', size: 64, format: 'jpeg', isAnimated: false, crop }, 'v1-square-64-crop-1000-2500-5000-3333.jpeg'],
    [{ shape: 'square', size: 64, format: 'webp', isAnimated: true, crop }, 'v1-square-64-crop-1000-2500-5000-3333-animated.webp'],
  ]
  for (const [spec, name] of named) t.equal(variantName(spec), name)
})

test('no two variants share a name, and each is a safe one for a file', async (t) => {
  const names = new Set<string>()
  let count = 0
  const crops = [undefined, '0,0,1,1', '0.1,0,0.9,1', '0,0.1,1,0.9', '0.0001,0,0.5,1', '0.001,0,0.5,1'].map((text) => text === undefined ? undefined : parseCrop(text))
  for (const shape of ['square', 'inside'] as const) {
    for (const size of [...avatarSizes, ...previewSizes]) {
      for (const format of ['avif', 'webp', 'jpeg', 'png', 'auto'] as const) {
        for (const isAnimated of [true, false]) {
          for (const crop of crops) {
            const name = variantName({ shape, size, format, isAnimated, ...(crop !== undefined && { crop }) })
            if (!/^[a-z0-9][a-z0-9-]{0,60}\.[a-z]{3,4}$/.test(name)) t.fail(name)
            names.add(name)
            count++
          }
        }
      }
    }
  }
  t.equal(names.size, count)
})
