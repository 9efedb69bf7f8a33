import { writeFile } from 'node:fs/promises'
import t from 'tap'
import { sharp } from '../../src/images/sharp.ts'

t.test('pictures are read from memory only, never from a path', async (t) => {
  const file = `${t.testdir({})}/a.png`
  const picture = await sharp({ create: { width: 1, height: 1, channels: 3, background: 'red' } }).png().toBuffer()
  await writeFile(file, picture)
  await t.rejects(sharp(file).metadata())
  t.match(await sharp(picture).metadata(), { format: 'png' })
})

t.test('one thread per picture, and nothing is kept', async (t) => {
  t.equal(sharp.concurrency(), 1)
  t.match(sharp.cache(), { memory: { max: 0 }, files: { max: 0 }, items: { max: 0 } })
})
