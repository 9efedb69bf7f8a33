import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { collect } from '../../fixtures/collect.ts'
import type { UserId } from '../../../src/callers/caller.ts'
import { systemMAttachments } from '../../../src/operations/import/system-m-attachments.ts'
import { temporaryFolder } from '../../helper.ts'

test('a file is what the index says of it, or what it looks like', async (t) => {
  const root = await realpath(await temporaryFolder(t))
  await mkdir(join(root, 'x'))
  for (const path of ['x/known', 'x/u\u0308', 'x/.env', 'x/unknown.csv', 'x/whose']) await writeFile(join(root, path), path)
  await symlink('known', join(root, 'x', 'link'))
  const index = join(await temporaryFolder(t), 'index')
  await writeFile(index, [
    { path: 'x/known', userId: 'ada', filename: 'Name.txt', contentType: 'text/markdown', createdAt: 1_600_000_000, contextType: 'message', contextId: 'm1' },
    { path: 'x/ü', ownerId: 'bob' }, { path: 'x/whose', ownerId: 'no one' }, { path: 'x/gone', ownerId: 'bob' }, { path: 'x/gone too' }, { path: 'x/link', ownerId: 'bob' },
    { path: 'x/.env', ownerId: 'eve' }, { path: 'x/unknown.csv', createdAt: '0044-03-15' },
  ].map((line) => JSON.stringify(line)).join('\n'))
  const options = { root, visibility: 'private', now: () => new Date('2026-01-01') } as const
  const found = await collect(systemMAttachments({ ...options, index, ownerId: 'archive' as UserId }).found())
  t.match(found, [
    { source: 'system-m:/uploads/x/.env', code: 'hidden', kind: 'attachment', ownerId: 'eve', paths: ['/uploads/x/.env'], reason: /begins with a dot/ },
    { source: 'system-m:/uploads/x/known', kind: 'attachment', ownerId: 'ada', isOwnerless: false, visibility: 'private', filename: 'Name.txt', declaredType: 'text/markdown', createdAt: new Date(1_600_000_000_000), contextType: 'message', contextId: 'm1', paths: ['/uploads/x/known'] },
    { source: 'system-m:/uploads/x/link', code: 'symlink', ownerId: 'bob' },
    { source: 'system-m:/uploads/x/unknown.csv', ownerId: 'archive', isOwnerless: true, filename: 'unknown.csv', declaredType: 'text/csv', contextType: null, paths: ['/uploads/x/unknown.csv'], createdAt: new Date('2026-01-01'), isDated: false, notes: [/^its date 0044/, /^its file time/] },
    { source: 'system-m:/uploads/x/u\u0308', ownerId: 'bob', paths: ['/uploads/x/u\u0308', '/uploads/x/ü'] },
    { source: 'system-m:/uploads/x/whose', code: 'bad-owner', size: Number },
    { source: 'system-m:/uploads/x/gone', code: 'missing', kind: 'attachment', ownerId: 'bob', paths: ['/uploads/x/gone'] },
    { source: 'system-m:/uploads/x/gone too', code: 'missing', paths: undefined },
  ])
  t.equal(found.length, 8)
  const reader = systemMAttachments(options)
  t.equal(await reader.count(), 6)
  t.match((await collect(reader.found())).filter((one) => 'code' in one).map(({ code }) => code), ['hidden', 'ownerless', 'symlink', 'ownerless', 'ownerless', 'ownerless'])
})

test('an entry goes to the file of its very name, though another comes first', async (t) => {
  const root = await realpath(await temporaryFolder(t))
  await mkdir(join(root, 'uploads'))
  for (const path of ['a.txt', 'uploads/a.txt', 'u\u0308', '\u00fc']) await writeFile(join(root, path), path)
  const index = join(await temporaryFolder(t), 'index')
  await writeFile(index, [{ path: 'uploads/a.txt', ownerId: 'alice' }, { path: '\u00fc', ownerId: 'bob' }].map((line) => JSON.stringify(line)).join('\n'))
  const found = await collect(systemMAttachments({ root, visibility: 'private', now: () => new Date(), index }).found())
  t.match(found, [{ source: 'system-m:/uploads/a.txt', code: 'ownerless' }, { source: 'system-m:/uploads/uploads/a.txt', ownerId: 'alice' }, { source: 'system-m:/uploads/u\u0308', code: 'ownerless' }, { source: 'system-m:/uploads/\u00fc', ownerId: 'bob', paths: ['/uploads/\u00fc'] }])
  t.equal(found.length, 4)
})
