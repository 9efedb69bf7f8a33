import { test } from 'tap'
import { plan } from '../../src/images/plan.ts'
import { file, plain, withChunk } from './made.ts'

test('what is to go out of a file is said, with where it is', async (t) => {
  const png = await plain(4, 4).png().toBuffer()
  const text = [...Buffer.from('Comment\0at home')]
  t.strictSame(plan(await file(t, png, 'image/png')), { edits: [], removed: [] })
  const { edits, removed } = plan(await file(t, withChunk(png, 'tEXt', text), 'image/png'))
  t.strictSame(edits.map(({ start, end, replacement }) => [start, end, replacement.length]), [[33, 33 + 12 + text.length, 0]])
  t.equal(removed.length, 1)
})

test('what cannot be followed is refused', async (t) => {
  const png = await file(t, Buffer.from('no picture'), 'image/png')
  t.throws(() => plan(png), { code: 'METADATA_UNREADABLE' })
  t.throws(() => plan({ path: '/nowhere', contentType: 'image/png' }), { code: 'ENOENT' })
})
