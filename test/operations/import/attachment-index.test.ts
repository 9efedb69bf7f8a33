import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { collect } from '../../fixtures/collect.ts'
import { createAttachmentIndex } from '../../../src/operations/import/attachment-index.ts'
import { temporaryFolder } from '../../helper.ts'

async function indexOf (t: Test, lines: unknown[]) {
  const file = join(await temporaryFolder(t), 'index')
  await writeFile(file, lines.map((line) => typeof line === 'string' ? line : JSON.stringify(line)).join('\n'))
  const index = createAttachmentIndex()
  return { index, refused: await collect(index.read(file)) }
}

test('an entry is found by the path of its file, in whatever form it is spelled', async (t) => {
  const { index, refused } = await indexOf(t, [
    { path: '2024/a b.pdf', ownerId: 'ada', filename: 'A.pdf', contentType: 'application/pdf', createdAt: '2021-03-04T05:06:07Z', contextType: 'ticket', contextId: 7 },
    { path: '/app/uploads/b' }, { path: '/uploads/c' }, { path: './d' }, { path: 'uploads/e' }, { path: '%41' }, { url: 'https://old.example/uploads/f%20g?x=1' }, { path: 'u\u0308' }, { path: 'é' },
  ])
  t.strictSame(refused, [])
  t.strictSame(index.take('2024/a b.pdf'), { path: '2024/a b.pdf', ownerId: 'ada', filename: 'A.pdf', contentType: 'application/pdf', createdAt: new Date('2021-03-04T05:06:07Z'), contextType: 'ticket', contextId: '7', notes: [] })
  t.equal(index.take('2024/a b.pdf'), undefined, 'given out once')
  for (const path of ['b', 'c', 'd', 'e', '%41', 'f g', 'ü', 'e\u0301']) t.ok(index.take(path), path)
  t.strictSame([...index.rest()], [])
})

test('what cannot be used is told, and an owner nobody can be stays with the file', async (t) => {
  const { index, refused } = await indexOf(t, [{ path: 'a', ownerId: 'no one' }, { path: 'a' }, { name: 'x' }, { url: '/i/x' }, 'no json', { path: 'b', contextType: 'with space' }, { path: 'c', contextId: 'ü' }, { path: 'rest', userId: 'u' }])
  t.strictSame(refused.map(({ source, code }) => [source, code]), [['system-m:index, line 2', 'bad-entry'], ['system-m:index, line 3', 'elsewhere'], ['system-m:index, line 4', 'elsewhere'], ['system-m:index, line 5', 'bad-entry']])
  t.match(index.take('a'), { ownerId: undefined, fault: { code: 'bad-owner', reason: /"no one"/ } })
  for (const path of ['b', 'c']) t.match(index.take(path), { contextType: null, contextId: null, notes: [/context/] }, path)
  t.strictSame([...index.rest()].map(({ path, ownerId }) => [path, ownerId]), [['rest', 'u']])
})

test('an entry is that of the file of its very name, whichever is asked about first', async (t) => {
  const paths = ['a.txt', 'uploads/a.txt', '\u00fc', 'u\u0308', 'b']
  for (const order of [paths, paths.toReversed()]) {
    const { index } = await indexOf(t, [{ path: 'uploads/a.txt', ownerId: 'alice' }, { path: '\u00fc', ownerId: 'bob' }, { path: 'uploads/b', ownerId: 'eve' }])
    for (const path of order) index.see(path)
    t.strictSame(order.map((path) => [path, index.take(path)?.ownerId]).sort(), [['a.txt', undefined], ['b', 'eve'], ['uploads/a.txt', 'alice'], ['u\u0308', undefined], ['\u00fc', 'bob']])
    t.strictSame([...index.rest()], [])
  }
})

test('an entry that may mean one file or another is nobody\'s, and so is its file', async (t) => {
  const mixed = '\u1e69'.normalize('NFD').replace('s\u0323', '\u1e63')
  for (const [lines, paths, faulty] of [
    // Neither file is spelled as the index spells it.
    [[{ path: mixed, ownerId: 'bob' }], [mixed.normalize('NFC'), mixed.normalize('NFD')], 2],
    // Two entries for one file, and the other file is not there.
    [[{ path: mixed, ownerId: 'bob' }, { path: mixed.normalize('NFC'), ownerId: 'eve' }], [mixed.normalize('NFD')], 1],
    [[{ path: 'x', ownerId: 'bob' }, { path: 'uploads/x', ownerId: 'eve' }], ['x'], 1],
    [[{ path: 'x', ownerId: 'bob' }, { path: 'uploads/x', ownerId: 'bob' }], ['x'], 0],
  ] as const) {
    const { index } = await indexOf(t, [...lines])
    for (const path of paths) index.see(path)
    const taken = paths.map((path) => index.take(path))
    t.equal(taken.filter((entry) => entry?.fault !== undefined).length, faulty, JSON.stringify(lines))
    for (const entry of taken) t.match(entry, faulty === 0 ? { ownerId: 'bob' } : { ownerId: undefined, fault: { code: 'bad-entry', reason: /^it cannot be told which file the index means by / } })
  }
})
