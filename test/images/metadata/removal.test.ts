import { test } from 'tap'
import { bytesInMemory } from '../../../src/images/metadata/bytes.ts'
import { createRemoval } from '../../../src/images/metadata/removal.ts'

const removalOf = (text = '.'.repeat(100)) => createRemoval(bytesInMemory(Buffer.from(text)))

test('nothing removed is no edit', (t) => {
  t.same(removalOf().plan(), { edits: [], removed: [] })
  t.end()
})

test('edits are in the order of the file, kinds in their own, and neighbours are one edit', (t) => {
  const removal = removalOf()
  removal.cut(20, 30, 'other')
  removal.cut(30, 40, 'xmp')
  removal.replace(40, 42, Buffer.from('abc'))
  removal.cut(42, 50, 'xmp')
  t.equal(removal.growth(), -27)
  removal.replace(4, 8, Buffer.from('size'))
  removal.tell('location')
  t.same(removal.plan(), {
    edits: [
      { start: 4, end: 8, replacement: Buffer.from('size') },
      { start: 20, end: 40, replacement: new Uint8Array(0) },
      { start: 40, end: 42, replacement: Buffer.from('abc') },
      { start: 42, end: 50, replacement: new Uint8Array(0) },
    ],
    removed: ['location', 'xmp', 'other'],
  })
  t.end()
})

test('coordinates in what goes are told, those in what stays are not', (t) => {
  const removal = removalOf('GPSLatitude....GPSLatitude')
  removal.cut(10, 20, 'comment')
  t.same(removal.plan().removed, ['comment'])
  removal.cut(20, 26, 'comment')
  t.same(removal.plan().removed, ['location', 'comment'])
  t.end()
})

test('padding is not worth an edit', (t) => {
  const removal = removalOf('\0\0\0text')
  removal.cutUnlessPadding(0, 3)
  removal.cutUnlessPadding(7, 7)
  t.same(removal.plan().edits, [])
  removal.cutUnlessPadding(0, 4)
  t.match(removal.plan(), { edits: [{ start: 0, end: 4 }], removed: ['other'] })
  t.end()
})

test('a file made of pieces is given up', (t) => {
  const cuts = removalOf()
  t.throws(() => { for (let at = 0; ; at += 2) cuts.cut(at, at + 1, 'other') }, { code: 'METADATA_UNREADABLE' })
  const parts = removalOf()
  t.throws(() => { for (;;) parts.pass() }, { code: 'METADATA_UNREADABLE' })
  t.end()
})
