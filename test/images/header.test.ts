import { randomBytes } from 'node:crypto'
import realSharp from 'sharp'
import t from 'tap'
import { sizeInHeader } from '../../src/images/header.ts'

const pixels = realSharp(randomBytes(90 * 60 * 4), { raw: { width: 90, height: 60, channels: 4 } })

t.test('the size of a GIF or WebP file is in its first 30 bytes', async (t) => {
  const files = {
    gif: await pixels.clone().gif().toBuffer(),
    lossy: await pixels.clone().removeAlpha().webp().toBuffer(),
    lossless: await pixels.clone().webp({ lossless: true }).toBuffer(),
    extended: await pixels.clone().webp().withMetadata({ density: 300 }).toBuffer(),
  }
  t.equal(files.lossy.toString('latin1', 12, 16), 'VP8 ')
  t.equal(files.lossless.toString('latin1', 12, 16), 'VP8L')
  t.equal(files.extended.toString('latin1', 12, 16), 'VP8X')
  for (const file of Object.values(files)) {
    t.same(sizeInHeader(file.subarray(0, 30)), { width: 90, height: 60 })
    t.equal(sizeInHeader(file.subarray(0, 29)), undefined)
  }
})

t.test('anything else has no size here', async (t) => {
  t.equal(sizeInHeader(await pixels.clone().png().toBuffer()), undefined)
  t.equal(sizeInHeader(Buffer.from('RIFF\x24\0\0\0WAVEfmt ' + '\0'.repeat(30))), undefined)
  t.equal(sizeInHeader(Buffer.from('RIFF\x24\0\0\0WEBPJUNK' + '\0'.repeat(30))), undefined)
  t.equal(sizeInHeader(Buffer.from('GIF89a' + '\0'.repeat(30))), undefined, 'of no extent')
})
