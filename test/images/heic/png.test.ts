import { randomBytes } from 'node:crypto'
import { crc32, inflateSync } from 'node:zlib'
import sharp from 'sharp'
import { test } from 'tap'
import { createPng } from '../../../src/images/heic/png.ts'
import { chunksOf } from '../../../src/images/png-chunks.ts'

const piece = (samples: Uint8Array, { x = 0, y = 0, width, height, stride, isPremultiplied = false }: { x?: number, y?: number, width: number, height: number, stride: number, isPremultiplied?: boolean }) =>
  ({ samples, x, y, width, height, stride, isPremultiplied })

test('a file holds the samples that were put, with every sum right', async (t) => {
  for (const [width, height, hasAlpha] of [[1, 1, false], [7, 5, true], [2000, 30, false], [10_000, 3, true]] as const) {
    const channels = hasAlpha ? 4 : 3
    const samples = randomBytes(width * height * channels)
    const png = createPng({ width, height, hasAlpha })
    png.put(piece(samples, { width, height, stride: width * channels }))
    const { data, info } = await sharp(png.finish(), { failOn: 'warning' }).raw().toBuffer({ resolveWithObject: true })
    t.strictSame([info.width, info.height, info.channels], [width, height, channels])
    t.ok(data.equals(samples), `${width} × ${height}`)
    // Not every reader looks at the sums.
    const pixels = [...chunksOf(png.finish())].find(({ type }) => type === 'IDAT')?.content ?? Buffer.alloc(0)
    t.equal(inflateSync(pixels).length, height * (1 + width * channels))
    t.equal(png.finish().readUInt32BE(png.finish().length - 16), crc32(pixels, crc32('IDAT')))
  }
})

test('pieces may come in any order and hang over on every side; their rows may be padded; what is missing is black', async (t) => {
  const png = createPng({ width: 6, height: 4, hasAlpha: false })
  const padded = (value: number) => Buffer.alloc(4 * 20, value)
  png.put(piece(padded(3), { x: 4, y: 2, width: 4, height: 4, stride: 20 }))
  png.put(piece(padded(1), { x: -2, y: -2, width: 4, height: 4, stride: 20 }))
  png.put(piece(padded(9), { x: 6, y: 0, width: 4, height: 4, stride: 20 }))
  png.put(piece(padded(9), { x: 0, y: -4, width: 4, height: 4, stride: 20 }))
  const samples = await sharp(png.finish(), { failOn: 'warning' }).extractChannel(0).raw().toBuffer()
  t.strictSame(samples.toString('hex').match(/.{12}/g), ['010100000000', '010100000000', '000000000303', '000000000303'])
})

test('colours that were multiplied with alpha are divided by it, and never overflow', async (t) => {
  const png = createPng({ width: 4, height: 1, hasAlpha: true })
  png.put(piece(Buffer.from([10, 20, 30, 255, 50, 100, 128, 128, 200, 200, 200, 100, 7, 7, 7, 0]), { width: 4, height: 1, stride: 16, isPremultiplied: true }))
  const samples = await sharp(png.finish()).raw().toBuffer()
  t.strictSame([...samples], [10, 20, 30, 255, 100, 199, 255, 128, 255, 255, 255, 100, 7, 7, 7, 0])
})

test('a profile is kept as it is', async (t) => {
  const { icc } = await sharp(await sharp({ create: { width: 1, height: 1, channels: 3, background: 'red' } }).withIccProfile('p3').png().toBuffer()).metadata()
  t.ok((await sharp(createPng({ width: 2, height: 2, hasAlpha: false }, icc).finish()).metadata()).icc?.equals(icc ?? Buffer.alloc(0)))
})
