import { test } from 'tap'
import { createLibheif } from '../../../src/images/heic/libheif.ts'
import { limitedContext, strictOptions } from '../../../src/images/heic/limits.ts'
import { openPicture } from '../../../src/images/heic/picture.ts'
import { heif } from '../../fixtures/heif.ts'

const mebibyte = 1024 ** 2

function decode (maxBytes: number): { samples: number, exhausted: number } {
  let exhausted = 0
  const libheif = createLibheif(maxBytes, () => exhausted++)
  const picture = openPicture(libheif, heif('wide'), { context: limitedContext(libheif), options: strictOptions(libheif) })
  let samples = 0
  try {
    for (const { width, height } of picture.pieces()) samples += width * height
  } catch (error) {
    if (exhausted === 0) throw error
  }
  return { samples, exhausted }
}

test('a decoder gets the memory it is given, and no more', async (t) => {
  t.strictSame(decode(448 * mebibyte), { samples: 3840 * 2560, exhausted: 0 })
  for (const maxBytes of [20 * mebibyte, 40 * mebibyte, 60 * mebibyte]) {
    const { samples, exhausted } = decode(maxBytes)
    t.equal(samples, 0)
    t.ok(exhausted > 0, `${maxBytes / mebibyte} MiB`)
  }
})

test('no instance sees the memory of another', async (t) => {
  const [one, other] = [createLibheif(64 * mebibyte, () => {}), createLibheif(64 * mebibyte, () => {})]
  const at = one._malloc(1000)
  one.HEAPU8.fill(99, at, at + 1000)
  t.notOk(other.HEAPU8.subarray(at, at + 1000).includes(99))
})
