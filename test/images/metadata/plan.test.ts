import sharp from 'sharp'
import { test } from 'tap'
import { bytesInMemory } from '../../../src/images/metadata/bytes.ts'
import { planRemoval } from '../../../src/images/metadata/plan.ts'

const red = sharp({ create: { width: 20, height: 10, channels: 3, background: 'red' } })

test('each type has its walker', async (t) => {
  for (const format of ['jpeg', 'png', 'webp', 'avif'] as const) {
    const personal = await red.clone().withExif({ IFD0: { Artist: 'Ada Lovelace' } }).toFormat(format).toBuffer()
    t.match(planRemoval(bytesInMemory(personal), `image/${format}`), { removed: ['exif'] }, format)
  }
  t.same(planRemoval(bytesInMemory(await red.clone().gif().toBuffer()), 'image/gif'), { edits: [], removed: [] })
})

test('in AVIF and HEIC all that nothing points at may be pixels of a damaged picture', async (t) => {
  const whole = await red.clone().withExif({ IFD0: { Artist: 'Ada' } }).avif().toBuffer()
  const unknown = Buffer.from(whole.toString('latin1').replaceAll('pitm', 'free').replaceAll('av01Color', 'zz01Color'), 'latin1')
  const planOf = (file: Buffer) => planRemoval(bytesInMemory(file), 'image/avif')
  t.equal(planOf(whole).cutsUnclaimed, undefined)
  t.equal(planOf(unknown).cutsUnclaimed, true)
  t.equal(planOf(Buffer.concat([whole, Buffer.from('\0\0\0\x10mdatXXXXXXXX')])).cutsUnclaimed, true)
  t.equal(planOf(Buffer.concat([whole, Buffer.from('Ada')])).cutsUnclaimed, true)
  t.equal(planOf(Buffer.concat([whole, Buffer.from('\0\0\0\x0bfreeAda')])).cutsUnclaimed, undefined, 'a box that is empty by its type holds none')
})

test('a file of another type than was said is refused', async (t) => {
  const png = bytesInMemory(await red.clone().png().toBuffer())
  for (const type of ['image/jpeg', 'image/webp', 'image/gif', 'image/avif', 'image/heic', 'image/heif'] as const) {
    t.throws(() => planRemoval(png, type), { code: 'METADATA_UNREADABLE' }, type)
  }
})
