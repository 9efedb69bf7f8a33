import { writeFile } from 'node:fs/promises'
import t from 'tap'
import { sharp } from '../../src/images/sharp.ts'

t.test('the pictures we take are read, and no other files', async (t) => {
  const path = `${t.testdir({})}/picture`
  const picture = sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } })
  for (const format of ['jpeg', 'png', 'webp', 'gif', 'avif'] as const) {
    const bytes = await picture.clone().toFormat(format).toBuffer()
    await writeFile(path, bytes)
    t.match(await sharp(bytes).metadata(), { width: 4 }, format)
    t.match(await sharp(path).metadata(), { width: 4 }, format)
  }
  for (const bytes of [Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>'), await picture.clone().tiff().toBuffer(), Buffer.from('%PDF-1.7\n')]) {
    await writeFile(path, bytes)
    await t.rejects(sharp(bytes).metadata())
    await t.rejects(sharp(path).metadata())
  }
})

t.test('one thread per picture, and nothing is kept', async (t) => {
  t.equal(sharp.concurrency(), 1)
  t.match(sharp.cache(), { memory: { max: 0 }, files: { max: 0 }, items: { max: 0 } })
})
