import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type Test } from 'tap'
import { collect } from '../../fixtures/collect.ts'
import type { UserId } from '../../../src/callers/caller.ts'
import { systemMAvatars, type SystemMAvatars } from '../../../src/operations/import/system-m-avatars.ts'
import { temporaryFolder } from '../../helper.ts'

async function tree (t: Test, paths: string[]): Promise<string> {
  const root = await realpath(await temporaryFolder(t))
  for (const path of paths) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), path)
  }
  return root
}

const find = (root: string, more: Partial<SystemMAvatars> = {}) => systemMAvatars({ root, visibility: 'public', now: () => new Date('2026-01-01'), ...more })

test('a picture is the avatar of every user who names it; everything else belongs to the owner', async (t) => {
  const root = await tree(t, ['p/2023/05/avatar_1680000000123_x.png', 'logo.svg'])
  await symlink('logo.svg', join(root, 'link'))
  const users = join(await temporaryFolder(t), 'users')
  await writeFile(users, ['ada', 'bob'].flatMap((id) => [{ id, avatar: '/i/p/2023/05/avatar_1680000000123_x.png' }, { id, avatar: '/i/gone.png' }]).concat([{ id: 'eve', avatar: '/i/link' }]).map((line) => JSON.stringify(line)).join('\n'))
  const reader = find(root, { users, ownerId: 'archive' as UserId })
  t.equal(await reader.count(), 3)
  const found = await collect(reader.found())
  const path = '/i/p/2023/05/avatar_1680000000123_x.png'
  t.match(found, [
    { source: 'system-m:users/eve/i/link', kind: 'avatar', ownerId: 'eve', paths: ['/i/link'], code: 'symlink' },
    { kind: 'attachment', source: 'system-m:/i/logo.svg', ownerId: 'archive', isOwnerless: true, visibility: 'public', filename: 'logo.svg', declaredType: 'image/svg+xml', paths: ['/i/logo.svg'] },
    { kind: 'avatar', source: `system-m:users/ada${path}`, ownerId: 'ada', isOwnerless: false, visibility: null, filename: undefined, paths: [path], createdAt: new Date(1680000000123) },
    { kind: 'avatar', source: `system-m:users/bob${path}`, ownerId: 'bob', paths: [path] },
    { source: 'system-m:users/ada/i/gone.png', code: 'missing', kind: 'avatar', ownerId: 'ada', paths: ['/i/gone.png'] },
    { source: 'system-m:users/bob/i/gone.png', code: 'missing', ownerId: 'bob' },
  ])
  t.equal(found.length, 6)
})

test('without an owner, what is nobody\'s avatar is refused', async (t) => {
  const root = await tree(t, ['a.png'])
  await symlink('a.png', join(root, 'link'))
  t.match(await collect(find(root).found()), [{ source: 'system-m:/i/a.png', code: 'ownerless', reason: /--owner/, size: 5 }, { source: 'system-m:/i/link', code: 'symlink' }])
})
