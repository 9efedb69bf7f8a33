import { test } from 'tap'
import { weightOf, weightOfFile, weightOfOutput } from '../../../src/images/processes/weight.ts'
import { pictureTypes } from '../../../src/images/types.ts'

const MiB = 1024 ** 2

test('pictures weigh what decoding them takes, by format', (t) => {
  const photo = { width: 4000, height: 3000, frames: 1 }
  t.equal(weightOf({ ...photo, contentType: 'image/jpeg' }), 8 * MiB + 84_000_000)
  t.equal(weightOf({ ...photo, contentType: 'image/jpeg', isProgressive: false }), 8 * MiB + 12_000_000)
  t.equal(weightOf({ ...photo, contentType: 'image/png', isProgressive: true }), 8 * MiB + 132_000_000)
  t.equal(weightOf({ ...photo, contentType: 'image/png', isProgressive: false }), 8 * MiB + 60_000_000)
  t.ok(weightOf({ ...photo, contentType: 'image/avif' }) > 300 * MiB)
  for (const contentType of pictureTypes) t.ok(weightOf({ ...photo, contentType }) > 12_000_000 * 4, contentType)
  t.end()
})

test('frames count where they are held together', (t) => {
  const animation = { width: 640, height: 480, frames: 200 }
  t.ok(weightOf({ ...animation, contentType: 'image/webp' }) > 250 * MiB)
  t.ok(weightOf({ ...animation, contentType: 'image/png' }) > 250 * MiB)
  t.ok(weightOf({ ...animation, contentType: 'image/gif' }) < 16 * MiB)
  t.end()
})

test('the encoder of AVIF weighs more than the others', (t) => {
  t.equal(weightOfOutput({ size: 1000, format: 'webp' }), 8e6)
  t.equal(weightOfOutput({ size: 1000, format: 'avif' }), 40e6)
  t.end()
})

test('of HEIC the file counts twice, of others not at all', async (t) => {
  const path = `${t.testdir({ picture: 'x'.repeat(1000) })}/picture`
  for (const contentType of pictureTypes) {
    const want = contentType === 'image/heic' || contentType === 'image/heif' ? 2000 : 0
    t.equal(await weightOfFile({ path, contentType }), want, contentType)
    t.equal(await weightOfFile({ bytes: Buffer.alloc(1000), contentType }), want, `${contentType} in memory`)
  }
  await t.rejects(weightOfFile({ path: `${path}-gone`, contentType: 'image/heic' }), { code: 'ENOENT' })
})
