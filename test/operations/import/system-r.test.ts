import { mkdir, realpath, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { collect } from '../../fixtures/collect.ts'
import type { Candidate, Found } from '../../../src/operations/import/candidate.ts'
import type { UserRow, UserTable } from '../../../src/operations/import/postgres.ts'
import { systemR } from '../../../src/operations/import/system-r.ts'
import { picture, temporaryFolder } from '../../helper.ts'

const row = (id: string | null, more: Partial<UserRow> = {}): UserRow => ({ id, dataBytes: null, type: null, url: null, date: null, ...more })

function reader (rows: UserRow[], { data = {}, publicDir }: { data?: Record<string, string | Buffer>, publicDir?: string } = {}) {
  const table: UserTable = { count: async () => rows.length, rows: async function * () { yield * rows }, data: async (id) => data[id] ?? null, close: async () => {} }
  return systemR({ table, tableName: 'public.users', publicDir, now: () => new Date('2026-01-01') })
}

const bytesOf = async (found: Found | undefined, maxBytes = 1000) => Buffer.concat(await collect((found as Candidate).read(maxBytes))).toString()

test('the picture is in the row, and its old address leads to it', async (t) => {
  const { count, found } = reader([
    row('1', { dataBytes: 8, type: 'image/png', url: 'https://old.example/uploads/avatars/avatar-1680000000123.png?x=1' }), row('2', { dataBytes: 4, url: '/elsewhere', date: new Date('2020-01-01') }),
    row('3', { dataBytes: 4, url: '/api/uploads/avatars/a%20b.png' }), row('4', { dataBytes: 4, url: '/uploads/avatars/%2e%2e%2fx' }), row('5', { dataBytes: 4 }), row('6', { dataBytes: 4, date: Infinity as unknown as Date }),
  ], { data: { 1: 'dGV4dA==', 2: Buffer.from('raw!') } })
  t.equal(await count(), 6)
  const all = await collect(found())
  t.match(all, [
    { kind: 'avatar', source: 'system-r:users/1', ownerId: '1', paths: ['/uploads/avatars/avatar-1680000000123.png'], declaredType: 'image/png', createdAt: new Date(1680000000123), isDated: true, notes: { length: 0 } },
    { paths: { length: 0 }, createdAt: new Date('2020-01-01'), notes: [/"\/elsewhere"/] }, { paths: ['/uploads/avatars/a b.png'], notes: { length: 0 } }, { paths: { length: 0 }, notes: [/not kept/] }, { paths: { length: 0 }, notes: { length: 0 }, createdAt: new Date('2026-01-01'), isDated: false }, { createdAt: new Date('2026-01-01'), notes: [/Infinity/] },
  ])
  t.equal(await bytesOf(all[0]), 'text')
  t.equal(await bytesOf(all[1]), 'raw!')
  await t.rejects(bytesOf(all[2]), { code: 'changing' })
})

test('what is far too long is not even fetched', async (t) => {
  const [huge] = await collect(reader([row('1', { dataBytes: 3000 })]).found())
  await t.rejects(bytesOf(huge), { code: 'too-large' })
  const [large] = await collect(reader([row('1', { dataBytes: 8 })], { data: { 1: 'dGV4dA==' } }).found())
  await t.rejects(bytesOf(large, 3), { code: 'too-large', size: 4 }, 'what was fetched has a size')
})

test('without data, it is the file behind the address, and only in the public folder', async (t) => {
  const publicDir = await realpath(await temporaryFolder(t))
  await mkdir(join(publicDir, 'uploads', 'avatars'), { recursive: true })
  await writeFile(join(publicDir, 'uploads', 'avatars', 'a.png'), 'file')
  const all = await collect(reader([
    row('1', { url: '/uploads/avatars/a.png', type: 'image/png' }), row('2', { url: '/uploads/avatars/none.png', date: new Date('2020-01-01') }), row('3', { url: '/uploads/avatars/../../../etc/passwd' }), row('4', { url: '/api/auth/avatar/4' }), row('5', { url: '/uploads/avatars/.env' }),
  ], { publicDir }).found())
  t.match(all, [{ paths: ['/uploads/avatars/a.png'], declaredType: 'image/png' }, { createdAt: new Date('2020-01-01') }, { code: 'elsewhere', ownerId: '3', paths: undefined }, { code: 'elsewhere', reason: /api\/auth/ }, { code: 'hidden', kind: 'avatar', ownerId: '5', paths: ['/uploads/avatars/.env'] }])
  t.equal(await bytesOf(all[0]), 'file')
  await t.rejects(bytesOf(all[1]), { name: 'OldFileRefused', fault: 'missing' })
  t.match(await collect(reader([row('1', { url: '/uploads/avatars/a.png' })]).found()), [{ code: 'not-named', kind: 'avatar', paths: ['/uploads/avatars/a.png'], reason: /--public-dir/ }])
})

test('data that says nothing leaves the file; of data that is broken it is told that there is one', async (t) => {
  const publicDir = await realpath(await temporaryFolder(t))
  await mkdir(join(publicDir, 'uploads', 'avatars'), { recursive: true })
  const [png, url] = [await picture('png'), '/uploads/avatars/a.png']
  await writeFile(join(publicDir, url), png)
  await utimes(join(publicDir, url), new Date('2020-05-05'), new Date('2020-05-05'))
  await writeFile(join(publicDir, 'uploads', 'avatars', 'text.png'), 'text')
  const data = { blank: ' \n', null: 'NULL', none: ' ', broken: '!!!!', text: '!!!!', gone: '!!!!', alone: '!!!!', raw: Buffer.from('    ') }
  const rows = [row('blank', { dataBytes: 2, url }), row('null', { dataBytes: 4, url }), row('none', { dataBytes: 1 }), row('broken', { dataBytes: 4, url }), row('text', { dataBytes: 4, url: '/uploads/avatars/text.png' }), row('gone', { dataBytes: 4, url: '/uploads/avatars/none.png' }), row('alone', { dataBytes: 4 }), row('raw', { dataBytes: 4, url }), row('elsewhere', { dataBytes: 1, url: '/x' })]
  const [blank, word, none, broken, text, gone, alone, raw, elsewhere] = await collect(reader(rows, { data: { ...data, elsewhere: ' ' }, publicDir }).found())
  for (const found of [blank, word]) {
    t.match(found, { paths: [url], createdAt: new Date('2020-05-05'), isDated: true })
    t.ok(Buffer.concat(await collect((found as Candidate).read(10_000))).equals(png))
  }
  await t.rejects(bytesOf(none), { code: 'empty' })
  await t.rejects(bytesOf(broken), { code: 'broken-base64', message: 'it is not base64; there is a picture behind its address "/uploads/avatars/a.png", which is taken when the data is empty' })
  for (const found of [text, gone, alone]) await t.rejects(bytesOf(found), { code: 'broken-base64', message: 'it is not base64' })
  t.equal(await bytesOf(raw), '    ', 'bytes are taken as they are')
  t.match(elsewhere, { code: 'elsewhere' })
})

test('ids that can be no user\'s, and ids that are there twice, are refused', async (t) => {
  t.match(await collect(reader([row(null, { dataBytes: 4 }), row(null, { dataBytes: 4 }), row('a b', { dataBytes: 4 }), row('x', { dataBytes: 4 }), row('x', { dataBytes: 4 })]).found()),
    [{ code: 'bad-owner', source: 'system-r:users/' }, { code: 'bad-owner' }, { code: 'bad-owner' }, { kind: 'avatar' }, { code: 'bad-entry', reason: /--id-column/ }])
})
