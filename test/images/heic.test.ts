import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import { test } from 'tap'
import { decodeHeic, heicHeader } from '../../src/images/heic.ts'
import { clap, codedIn, colrIcc, colrNclx, grid, heif, imir, irot, ispe, single, heifOf, type Coded } from '../fixtures/heif.ts'

type Colour = readonly [number, number, number]

const red: Colour = [220, 40, 40]
const green: Colour = [40, 180, 60]
const blue: Colour = [50, 70, 210]
const white: Colour = [240, 240, 240]

const quad = codedIn(heif('quad'))[0] as Coded
const tiles = codedIn(heif('tiles'))
const wide = codedIn(heif('wide'))[0] as Coded

async function decoded (file: Buffer) {
  const { data, info } = await sharp(await decodeHeic(file), { failOn: 'error' }).raw().toBuffer({ resolveWithObject: true })
  return { data, ...info, at: (x: number, y: number) => [...data.subarray((y * info.width + x) * info.channels).subarray(0, info.channels)] }
}

const isNear = (got: readonly number[], want: readonly number[], tolerance = 4) =>
  got.length === want.length && got.every((value, index) => Math.abs(value - (want[index] ?? 0)) <= tolerance)

test('a picture is decoded to its pixels', async (t) => {
  const { at, width, height, channels } = await decoded(heif('quad'))
  t.strictSame({ width, height, channels }, { width: 96, height: 64, channels: 3 })
  t.ok(isNear(at(20, 16), red) && isNear(at(70, 16), green) && isNear(at(20, 48), blue) && isNear(at(70, 48), white))
  t.strictSame(await heicHeader(heif('quad')), { width: 96, height: 64, frames: 1, hasAlpha: false, isProgressive: false })
})

test('10 bits are shown as 8', async (t) => {
  const { at } = await decoded(heif('deep'))
  t.ok(isNear(at(20, 16), red) && isNear(at(70, 16), green) && isNear(at(20, 48), blue) && isNear(at(70, 48), white))
})

test('transparency is kept, and colours that were multiplied with it are restored', async (t) => {
  for (const name of ['alpha', 'premultiplied'] as const) {
    t.equal((await heicHeader(heif(name))).hasAlpha, true)
    const { at, channels } = await decoded(heif(name))
    t.equal(channels, 4)
    t.ok(isNear(at(20, 16), [...red, 255]) && isNear(at(20, 48), [...blue, 128]), name)
    t.ok((at(70, 48)[3] ?? 255) <= 4, `${name}: nothing is seen`)
  }
})

test('the picture is turned and mirrored as the file says', async (t) => {
  const corners = async (properties: Buffer[]) => {
    const { at, width, height } = await decoded(single(quad, 96, 64, properties))
    const { width: w, height: h } = await heicHeader(single(quad, 96, 64, properties))
    t.strictSame([w, h], [width, height])
    const names = Object.entries({ red, green, blue, white })
    return [at(8, 8), at(width - 8, 8), at(8, height - 8), at(width - 8, height - 8)].map((got) => names.find(([, colour]) => isNear(got, colour))?.[0])
  }
  t.strictSame(await corners([]), ['red', 'green', 'blue', 'white'])
  t.strictSame(await corners([irot(1)]), ['green', 'white', 'red', 'blue'])
  t.strictSame(await corners([irot(2)]), ['white', 'blue', 'green', 'red'])
  t.strictSame(await corners([irot(3)]), ['blue', 'red', 'white', 'green'])
  t.strictSame(await corners([imir(0)]), ['blue', 'white', 'red', 'green'])
  t.strictSame(await corners([imir(1)]), ['green', 'red', 'white', 'blue'])
})

test('a grid shows each tile in its place, however the picture is turned, and what hangs over is cut off', async (t) => {
  const cells = await Promise.all(tiles.map(async (tile) => (await decoded(single(tile, 64, 64))).data))
  const size = { columns: 3, rows: 2, width: 150, height: 100 }
  const upright = await decoded(grid(tiles, size))
  const expected = Buffer.alloc(150 * 100 * 3)
  for (let y = 0; y < 100; y++) {
    for (let x = 0; x < 150; x++) {
      const cell = cells[((y >> 6) * 3 + (x >> 6)) % 4]
      cell?.copy(expected, (y * 150 + x) * 3, ((y % 64) * 64 + x % 64) * 3, ((y % 64) * 64 + x % 64) * 3 + 3)
    }
  }
  t.ok(upright.data.equals(expected))
  for (const quarters of [0, 1, 2, 3]) {
    for (const axis of [undefined, 0, 1] as const) {
      const { data, width, height } = await decoded(grid(tiles, size, [irot(quarters), ...axis === undefined ? [] : [imir(axis)]]))
      const turned = await sharp(expected, { raw: { width: 150, height: 100, channels: 3 } }).rotate(-90 * quarters).raw().toBuffer()
      const mirrored = sharp(turned, { raw: { width, height, channels: 3 } }).flip(axis === 0).flop(axis === 1)
      t.ok(data.equals(await mirrored.raw().toBuffer()), `${quarters} quarters, mirrored ${axis}`)
    }
  }
})

test('of a picture that is cropped, only that part is shown', async (t) => {
  const cropped = grid(tiles, { columns: 3, rows: 2, width: 150, height: 100 }, [clap(100, 60)])
  const whole = await decoded(grid(tiles, { columns: 3, rows: 2, width: 150, height: 100 }))
  const { width, height, at } = await decoded(cropped)
  t.strictSame([width, height], [100, 60])
  t.ok(isNear(at(0, 0), whole.at(25, 20), 12))
  t.strictSame(await heicHeader(cropped), { width: 100, height: 60, frames: 1, hasAlpha: false, isProgressive: false })
})

test('the colour profile comes along, Display P3 also where only its number is given', async (t) => {
  const iccOf = async (properties: Buffer[]) => (await sharp(await decodeHeic(single(quad, 96, 64, properties))).metadata()).icc
  const profile = await sharp({ create: { width: 1, height: 1, channels: 3, background: 'red' } }).withIccProfile('p3').png().toBuffer()
  const { icc: p3 } = await sharp(profile).metadata()
  t.ok(p3 !== undefined && (await iccOf([colrNclx(12, 13)]))?.equals(p3))
  t.equal(await iccOf([colrNclx(1, 13)]), undefined)
  t.equal(await iccOf([]), undefined)
  const other = Buffer.from(p3 ?? [])
  other.write('mntr', 12)
  other.write('test', 4)
  t.ok((await iccOf([colrNclx(12, 13), colrIcc(other)]))?.equals(other))
  const { at } = await decoded(single(quad, 96, 64, [colrIcc(p3 ?? other)]))
  t.ok((at(20, 16)[0] ?? 0) > 230, 'a red of P3 is more than the same numbers in sRGB')
})

test('a broken profile makes no broken picture', async (t) => {
  for (const icc of [Buffer.alloc(0), Buffer.from('no profile'), Buffer.alloc(4000, 0x20)]) {
    const { at } = await decoded(single(quad, 96, 64, [colrIcc(icc)]))
    t.ok(isNear(at(20, 16), red))
  }
})

test('pictures over the limits have a header but are not decoded', async (t) => {
  for (const [width, height] of [[10_001, 10], [10, 10_001], [8000, 5001], [60_000, 60_000]] as const) {
    const file = single(quad, width, height)
    t.strictSame(await heicHeader(file), { width, height, frames: 1, hasAlpha: false, isProgressive: false })
    await t.rejects(decodeHeic(file), { code: 'IMAGE_TOO_LARGE' }, `${width} × ${height}`)
  }
})

test('a picture without pixels is none', async (t) => {
  for (const file of [grid(tiles, { columns: 2, rows: 2, width: 0, height: 0 }), single(quad, 0, 64), single(quad, 96, 0), single(quad, 2 ** 31, 64), single(quad, 96, 2 ** 32 - 1)]) {
    await t.rejects(heicHeader(file), { code: 'IMAGE_INVALID' })
    await t.rejects(decodeHeic(file), { code: 'IMAGE_INVALID' })
  }
})

test('a file that takes more memory than is given is too large', async (t) => {
  const file = Buffer.alloc(449 * 1024 * 1024)
  await t.rejects(decodeHeic(file), { code: 'IMAGE_TOO_LARGE' })
})

test('a stream that is larger than the file says is refused', async (t) => {
  await t.rejects(decodeHeic(single(wide, 64, 64)), { code: 'IMAGE_INVALID' })
})

test('what is no HEIF picture, or none that is known, is invalid', async (t) => {
  const avif = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } }).avif().toBuffer()
  const unknown = heifOf([{ type: 'abcd', data: Buffer.from('data'), properties: [ispe(8, 8)] }])
  const withoutTiles = heifOf([{ type: 'grid', data: Buffer.from([0, 0, 0, 0, 0, 8, 0, 8]), properties: [ispe(8, 8)] }])
  const itself = heifOf([{ type: 'grid', data: Buffer.from([0, 0, 0, 0, 0, 8, 0, 8]), properties: [ispe(8, 8)], tiles: [1] }])
  const uncovered = grid(tiles, { columns: 2, rows: 1, width: 150, height: 100 })
  for (const file of [Buffer.alloc(0), Buffer.from('GIF89a'), Buffer.alloc(5000), heif('quad').subarray(0, 40), avif, unknown, withoutTiles, itself, uncovered]) {
    await t.rejects(decodeHeic(file), { code: 'IMAGE_INVALID' })
  }
  await t.rejects(heicHeader(Buffer.from('GIF89a')), { code: 'IMAGE_INVALID' })
})

test('a file that is cut off anywhere is invalid', async (t) => {
  const file = grid(tiles, { columns: 2, rows: 2, width: 128, height: 128 })
  for (let end = 1; end < file.length; end += 97) await t.rejects(decodeHeic(file.subarray(0, end)), { code: 'IMAGE_INVALID' }, `${end} bytes`)
  await t.rejects(decodeHeic(file.subarray(0, -1)), { code: 'IMAGE_INVALID' })
})

test('damage anywhere is either concealed or refused', async (t) => {
  const file = heif('alpha')
  for (let round = 0; round < 50; round++) {
    const damaged = Buffer.from(file)
    damaged[crc32(`${round}`) % file.length] = round
    const code = await decoded(damaged).then(() => undefined, ({ code }) => code)
    t.ok([undefined, 'IMAGE_INVALID', 'IMAGE_TOO_LARGE'].includes(code), `${round}: ${code}`)
  }
})
