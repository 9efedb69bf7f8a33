import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { moving } from './fixture.ts'

test('the same home twice, or one within the other, is refused', async (t) => {
  const { copy, folder, elsewhere, volume, store } = await moving(t)
  const same = { name: 'Refusal', message: /^--from and --to name the same home, or one within the other\./ }
  await symlink(folder, join(elsewhere, 'link'))
  for (const to of [volume, '', `file:${join(folder, 'below')}`, `file:${join(elsewhere, 'link')}`]) await t.rejects(copy({ to }), same, to)
  await t.rejects(copy({ from: store, to: store }), same)
  await t.rejects(copy({ from: store, to: `${store}/below` }), same)
  await t.rejects(copy({ from: `${store}/one`, to: 'azblob://new/one' }), { name: 'Refusal', message: /^There is no uploads volume at memory\. Name with --from/ })
  t.notOk(existsSync(join(folder, 'below')))
})

test('what is no home is refused', async (t) => {
  const { copy } = await moving(t)
  for (const url of ['/uploads', 'file:', 'ftp://x', 's3:/x']) {
    await t.rejects(copy({ from: url }), { name: 'Refusal', message: /^--from must be file:\/path\/to\/volume, s3:.*or empty, for UPLOADS_DIR\.$/ }, url)
    await t.rejects(copy({ to: url }), { name: 'Refusal', message: /^--to must be/ }, url)
  }
})

test('the source must be the volume of the database', async (t) => {
  const { copy, elsewhere, keys, folder, app } = await moving(t)
  await t.rejects(copy({ from: `file:${elsewhere}` }), { name: 'Refusal', message: new RegExp(`^There is no uploads volume at ${elsewhere}\\.`) })
  await app.database.client.setting.update({ where: { key: 'volumeId' }, data: { value: 'another' } })
  await t.rejects(copy(), { name: 'Refusal', message: /is another volume than that of the database: it is \S+, and the database belongs to another\. Run this with the settings of the gateway\.$/ })
  await app.database.client.setting.deleteMany()
  await t.rejects(copy(), { message: /belongs to none yet\./ })
  writeFileSync(join(folder, 'upload-gateway.json'), 'damaged')
  await t.rejects(copy(), { name: 'Refusal', message: /^The identity of the volume at \S+ cannot be read: / })
  t.strictSame(keys(), [])
})

test('a target of another volume, of a newer layout, or with files of an unknown one is refused, and left as it is', async (t) => {
  const { copy, folder, elsewhere, objects } = await moving(t)
  const identity = JSON.parse(readFileSync(join(folder, 'upload-gateway.json'), 'utf8'))
  const refused = async (files: Record<string, string>, error: { name: string, message: RegExp }) => {
    for (const key of objects.keys()) await objects.remove(key)
    for (const [key, text] of Object.entries(files)) objects.spoil(key, Buffer.from(text))
    await t.rejects(copy(), error)
    t.strictSame(objects.keys().filter((key) => !key.startsWith('staging/')), Object.keys(files))
  }
  await refused({ 'upload-gateway.json': JSON.stringify({ ...identity, volumeId: 'another' }) }, { name: 'Refusal', message: /^memory is another volume: it is another, and \S+ is \S+\. Name an empty place with --to; nothing is ever mixed\.$/ })
  await refused({ 'upload-gateway.json': JSON.stringify({ ...identity, layout: 2 }) }, { name: 'ConfigError', message: /layout 2, made by a newer version/ })
  for (const key of ['attachments/2026/01/01/x', 'resumable/x/0-1', 'tombstones.ndjson', 'holiday.jpg']) {
    await refused({ [key]: 'x' }, { name: 'Refusal', message: new RegExp(`^memory is not empty: it has ${key.split('/')[0]}, but no upload-gateway\\.json, so it is no home of this volume\\. Name an empty place with --to, or move away what is there first\\.$`) })
  }
  const volume = join(elsewhere, 'volume')
  mkdirSync(join(volume, 'avatars', '2026'), { recursive: true })
  await t.rejects(copy({ to: `file:${volume}` }), { name: 'Refusal', message: /it has avatars, but no/ })
  writeFileSync(join(elsewhere, 'file'), 'x')
  await t.rejects(copy({ to: `file:${join(elsewhere, 'file')}` }), { message: /ENOTDIR/ })
  await t.rejects(copy({ to: `file:${join(elsewhere, 'empty')}` }, { requireMount: true }), { name: 'ConfigError', message: new RegExp(`^--to ${elsewhere}/empty is not a mount of its own`) })
})

test('the new home is from the start of the database of the old one, and an old home of another database is no new one', async (t) => {
  const { copy, folder, objects } = await moving(t)
  const own = readFileSync(join(folder, 'database.json'), 'utf8')
  const there = () => JSON.parse(String(objects.bytes('database.json'))) as unknown
  const another = JSON.stringify({ database: 'another', name: 'PostgreSQL at old', since: '2026-11-22T12:00:00Z' })
  await copy()
  t.strictSame(there(), JSON.parse(own), 'a copy of this database that is put back does not come there either')
  objects.spoil('database.json', Buffer.from(another))
  await t.rejects(copy(), { name: 'ConfigError', message: /^--to memory belongs to another database: since 2026-11-22T12:00:00Z to PostgreSQL at old\. .* It is an old home of this volume, or the copy was begun with an earlier database\. Name an empty place with --to; or, when no gateway comes there with that database any more, remove database\.json there\.$/ })
  await objects.remove('database.json')
  t.match(await copy(), { isSame: true })
  const handedOver = { ...JSON.parse(own), copy: 'moved' }
  writeFileSync(join(folder, 'database.json'), JSON.stringify(handedOver))
  await copy()
  t.strictSame(there(), handedOver, 'whoever may take over the old home may take over the new one')
  await copy()
  t.strictSame(there(), handedOver)
  writeFileSync(join(folder, 'database.json'), another)
  await t.rejects(copy(), { message: /^--from \S+ belongs to another database: .* Set DATABASE_URL to the one/ })
})

test('of a home that belongs to no database yet, the copy belongs to none', async (t) => {
  const { copy, folder, keys } = await moving(t)
  rmSync(join(folder, 'database.json'))
  await copy()
  t.notOk(keys().includes('database.json'))
})

test('a copy that was killed while it wrote the identity goes on', async (t) => {
  const { copy, folder, elsewhere } = await moving(t)
  const to = join(elsewhere, 'new')
  mkdirSync(to)
  writeFileSync(join(to, 'upload-gateway.json'), '')
  await copy({ to: `file:${to}` })
  t.equal(readFileSync(join(to, 'upload-gateway.json'), 'utf8'), readFileSync(join(folder, 'upload-gateway.json'), 'utf8'))
})

test('a gateway that comes to the new place just then keeps its identity', async (t) => {
  const { copy, objects } = await moving(t)
  const identity = JSON.stringify({ volumeId: 'another', layout: 1, createdAt: '2026-11-22T12:00:00Z' })
  objects.before = (operation) => { if (operation === 'level') objects.spoil('upload-gateway.json', Buffer.from(identity)) }
  await t.rejects(copy())
  t.equal(String(objects.bytes('upload-gateway.json')), identity)
})

test('who must be alone in either home keeps the copy out', async (t) => {
  const { copy, folder, objects } = await moving(t)
  const { ownHeartbeat } = await import('../../../src/storage/volume/instance.ts')
  const heartbeat = JSON.stringify(ownHeartbeat({ work: 'rebuild', isExclusive: true }))
  const name = 'staging/4a8c8a3e-53ba-4a35-8dcd-5bf1a1f7dd46'
  objects.spoil(`${name}/heartbeat.json`, Buffer.from(heartbeat))
  const inUse = { name: 'ConfigError', message: /in use: rebuild runs on it as process \d+/ }
  await t.rejects(copy(), inUse)
  await objects.remove(`${name}/heartbeat.json`)
  mkdirSync(join(folder, name))
  writeFileSync(join(folder, name, 'heartbeat.json'), heartbeat)
  await t.rejects(copy(), inUse)
  t.strictSame(objects.keys().filter((key) => key.startsWith('staging/')), [])
})
