import { test } from 'tap'
import { decodeHeic } from '../../../src/images/heic.ts'
import { collectGarbage } from '../../../src/images/heic/collect.ts'
import { heif } from '../../fixtures/heif.ts'

const mebibyte = 1024 ** 2

const withMuch = () => { Buffer.alloc(256 * mebibyte) }

test('much memory that nobody needs is given back at once', async (t) => {
  withMuch()
  const before = process.memoryUsage().external
  collectGarbage()
  t.ok(before - process.memoryUsage().external >= 256 * mebibyte)
})

test('a little is left to the collector', async (t) => {
  const withLittle = () => { Buffer.alloc(8 * mebibyte) }
  withLittle()
  collectGarbage()
  t.ok(process.memoryUsage().external > 8 * mebibyte)
})

test('pictures leave nothing behind, nor do those that cannot be decoded', async (t) => {
  const cut = heif('quad').subarray(0, 500)
  const decode = async (count: number) => {
    for (let round = 0; round < count; round++) {
      await decodeHeic(heif('quad'))
      await decodeHeic(cut).catch(() => {})
    }
    withMuch()
    collectGarbage()
    return process.memoryUsage().external
  }
  const before = await decode(3)
  const after = await decode(50)
  t.ok(after - before < 40 * mebibyte, `${Math.round((after - before) / mebibyte)} MiB more after 100 pictures of at least 16 MiB`)
})
