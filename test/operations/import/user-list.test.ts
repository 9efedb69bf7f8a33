import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { collect } from '../../fixtures/collect.ts'
import { readUsers, shown, type AvatarUsers } from '../../../src/operations/import/user-list.ts'
import { temporaryFolder } from '../../helper.ts'

test('users are found by the old path of their avatar, in the order of the list', async (t) => {
  const file = join(await temporaryFolder(t), 'users')
  const lines = [
    { id: 'ada', avatar: 'https://old.example/i/p/a%20b.png?w=1' }, { _id: { $oid: 'f00' }, avatar: '/i/p/a b.png' }, { userId: 7, avatar: '//cdn/i/x' }, { id: 'ada', avatar: '/i/p/a%20b.png' },
    { id: 'none', avatar: null }, { id: 'empty', avatar: '' }, { id: 'no member' },
    { id: 'a b', avatar: '/i/x' }, { avatar: '/i/x' }, { id: 'eve', avatar: 'https://gravatar.example/x' }, { id: 'eve', avatar: 7 }, { id: 'eve', avatar: '/i/%2e%2e%2fetc/passwd' }, { id: 'eve', avatar: '/i/' },
  ]
  await writeFile(file, [...lines.map((line) => JSON.stringify(line)), 'no json'].join('\n'))
  const users: AvatarUsers = new Map()
  const refused = await collect(readUsers(file, users))
  t.strictSame([...users], [['/i/p/a b.png', ['ada', 'f00']], ['/i/x', ['7']]])
  t.strictSame(refused.map(({ source, code }) => [source, code]), [[8, 'bad-owner'], [9, 'bad-owner'], [10, 'elsewhere'], [11, 'elsewhere'], [12, 'bad-path'], [13, 'bad-path'], [14, 'bad-entry']].map(([line, code]) => [`system-m:users, line ${line}`, code]))
})

test('what is shown of a value is not endless', (t) => {
  t.equal(shown('x'.repeat(1000)).length, 201)
  t.equal(shown(undefined), '')
  t.end()
})
