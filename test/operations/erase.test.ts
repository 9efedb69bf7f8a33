import { copyFile, mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type Test } from 'tap'
import type { Scope } from '../../src/callers/caller.ts'
import { readConfig } from '../../src/config.ts'
import { eraseOwner, receiptKey } from '../../src/operations/erase.ts'
import { silent } from '../../src/operations/progress.ts'
import { verifyReceipt } from '../../src/operations/receipt.ts'
import { temporaryFolder } from '../helper.ts'
import { keep } from '../records/fixtures/database.ts'
import { publish } from '../storage/fixtures/volume.ts'
import { withUploads } from '../users/fixtures.ts'

async function setUp (t: Test) {
  const home = await temporaryFolder(t)
  const ledger = join(home, 'ledger.ndjson')
  // What is left of somebody is looked for in the file of the database.
  const DATABASE_URL = `file:${join(home, 'database', 'gateway.sqlite')}`
  const gateway = await withUploads(t, { ERASURE_LEDGER: ledger, DATABASE_URL })
  const config = readConfig({ UPLOADS_DIR: gateway.folder, ERASURE_LEDGER: ledger, DISK_RESERVE: '0', DATABASE_URL })
  for (const user of ['ada-of-the-test', 'bob']) {
    await gateway.setAvatar(user, 1)
    await gateway.attach(user, 'a.txt')
  }
  const receiptFile = join(home, 'receipt.jws')
  const erase = () => eraseOwner(config, { owner: 'ada-of-the-test', receiptFile, progress: silent })
  const verify = async () => verifyReceipt(config, { receiptFile, progress: silent })
  return { ...gateway, home, ledger, config, receiptFile, erase, verify }
}

test('a command erases beside a running gateway, thoroughly, and its receipt is good', async (t) => {
  const { erase, verify, receiptFile, filesWith, app, config } = await setUp(t)
  const { erased, receipt } = await erase()
  t.match(erased, { epoch: 1, counts: { avatars: 1, attachments: 1 } })
  t.equal(await readFile(receiptFile, 'utf8'), `${receipt}\n`)
  t.equal((await stat(receiptFile)).mode & 0o777, 0o600)
  t.strictSame(await filesWith('ada-of-the-test'), [], 'right away, in the database too')
  t.equal(await app.database.client.blob.count(), 2)
  t.strictSame(await verify(), { erased, findings: [], places: [{ path: join(config.uploadsDir, 'erasures.ndjson'), hasEntry: true }, { path: config.erasureLedger, hasEntry: true }] })
  t.match(await receiptKey(config), { crv: 'Ed25519', d: undefined })
})

test('what cannot be done is refused before anything is erased', async (t) => {
  const { config, receiptFile, erase, app, home } = await setUp(t)
  for (const owner of ['', 'me', 'a b', '../x']) await t.rejects(eraseOwner(config, { owner, progress: silent }), { name: 'Refusal', message: /can be no user/ })
  await writeFile(receiptFile, 'of another')
  await t.rejects(erase(), { name: 'Refusal', message: /There is a file already/ })
  t.equal(await readFile(receiptFile, 'utf8'), 'of another')
  await t.rejects(eraseOwner(config, { owner: 'bob', receiptFile: join(home, 'nowhere', 'x'), progress: silent }), { name: 'Refusal', message: /cannot be written: ENOENT/ })
  await t.rejects(eraseOwner({ ...config, erasureLedger: join(home, 'nowhere', 'ledger') }, { owner: 'bob', progress: silent }), { name: 'ConfigError', message: /ledger of erasures/ })
  t.equal(await app.database.client.blob.count(), 4)
  t.equal(await app.database.client.erasure.count(), 0)
})

test('an e-mail address erases nobody, and says whose it is', async (t) => {
  const { config, app, attach, ledger, home } = await setUp(t)
  const { client } = app.database
  const add = (id: string, email: string) => client.account.create({ data: { id, email, displayName: 'a', passwordHash: '', createdAt: new Date(0), updatedAt: new Date(0) } })
  const erase = (owner: string) => eraseOwner(config, { owner, receiptFile: join(home, `${owner}.jws`), progress: silent })
  await add('bob', 'bob@example.com')
  await add('eve@example.com', 'eve@example.com')
  for (const owner of ['bob@example.com', 'Bob@Example.com']) await t.rejects(erase(owner), { name: 'Refusal', message: `Nothing was erased: ${owner} is the e-mail address of an account, and the id of nobody who has anything here. The id of that account is bob: name that with --owner.` })
  t.equal(await client.erasure.count(), 0)
  t.equal((await readFile(ledger, 'utf8')).trim(), '')
  t.strictSame((await readdir(home)).filter((name) => name.endsWith('.jws')), [])
  t.match(await erase('eve@example.com'), { hadAnything: true }, 'it is the id, too')
  await attach('bob@example.com', 'a.txt')
  t.match(await erase('bob@example.com'), { hadAnything: true, erased: { counts: { attachments: 1, accounts: 0 } } }, 'of another user, who has that for an id')
  t.match(await eraseOwner(config, { owner: 'bob@example.com', progress: silent }), { erasedBefore: String, erased: { counts: { attachments: 1 } } }, 'and has the receipt again')
  t.equal(await client.account.count(), 1)
})

test('a command that was killed half-way is run again, and its receipt names everything', async (t) => {
  const { erase, verify, attach, app, folder, files, receiptFile } = await setUp(t)
  const { client } = app.database
  await attach('ada-of-the-test', 'b.txt')
  const ids = (await client.blob.findMany({ where: { ownerId: 'ada-of-the-test' }, orderBy: { id: 'asc' } })).map(({ id }) => id)
  // It keeps one of the files from going.
  const stubborn = (await files()).find((path) => path.endsWith('.txt') && path.includes(ids[2] ?? '')) ?? ''
  await rename(join(folder, stubborn), `${join(folder, stubborn)}.aside`)
  await mkdir(join(folder, stubborn, 'x'), { recursive: true })
  await t.rejects(erase(), { code: 'STORAGE_UNAVAILABLE' })
  await rm(join(folder, stubborn), { recursive: true })
  await writeFile(receiptFile, '')
  t.equal(await client.blob.count({ where: { ownerId: 'ada-of-the-test' } }), 1, 'the other two are gone')
  t.match(await erase(), { erasedBefore: null, erased: { blobs: ids.map((id) => ({ id })), counts: { avatars: 1, attachments: 2 } } })
  t.match(await verify(), { erased: { blobs: ids.map((id) => ({ id })) }, findings: { length: 0 } })
})

test('run once more, the file is left as it is, and says what was erased when', async (t) => {
  const { erase, config, receiptFile, attach, app } = await setUp(t)
  const first = await erase()
  t.equal(first.erasedBefore, null)
  const written = async () => ({ text: await readFile(receiptFile, 'utf8'), inode: (await stat(receiptFile)).ino })
  const before = await written()
  t.strictSame(await erase(), { ...first, erasedBefore: first.erased.at })
  t.strictSame(await written(), before)
  t.equal(await app.database.client.erasure.count(), 1)
  const elsewhere = await eraseOwner(config, { owner: 'ada-of-the-test', progress: silent })
  t.match(elsewhere, { erasedBefore: first.erased.at, erased: { epoch: 2, blobs: first.erased.blobs, counts: first.erased.counts } })
  t.strictSame(await erase(), { ...first, erasedBefore: first.erased.at }, 'it names all the same')

  await attach('ada-of-the-test', 'new.txt')
  await t.rejects(erase(), { name: 'Refusal', message: /the receipt of this user's erasure at .*, and there is more to erase/ })
  t.equal(await app.database.client.blob.count(), 3, 'nothing was erased')
  t.match(await eraseOwner(config, { owner: 'ada-of-the-test', receiptFile: `${receiptFile}.2`, progress: silent }), { erasedBefore: null, erased: { counts: { attachments: 2 } } })
  await t.rejects(erase(), { name: 'Refusal', message: /more to erase or to name/ }, 'the first does not name the new one')
  await t.rejects(eraseOwner(config, { owner: 'bob', receiptFile, progress: silent }), { name: 'Refusal', message: /the receipt of another user/ })
  t.strictSame(await written(), before)
  t.equal(await app.database.client.blob.count({ where: { ownerId: 'bob' } }), 2)
  await app.database.client.erasure.deleteMany()
  await t.rejects(erase(), { name: 'Refusal', message: /more to erase/ }, 'of a database that knows of no erasure')
})

test('whatever of it is there again is found: rows, files, sidecars, a ledger without it', async (t) => {
  const { folder, home, ledger, files, erase, verify, app } = await setUp(t)
  const { store } = app.storage
  const before = await files()
  for (const path of before) {
    await mkdir(dirname(join(home, 'copy', path)), { recursive: true })
    await copyFile(join(folder, path), join(home, 'copy', path))
  }
  await erase()
  const gone = before.filter((path) => /^(avatars|attachments)/.test(path)).slice()
  const after = new Set(await files())
  for (const path of gone.filter((one) => !after.has(one))) await copyFile(join(home, 'copy', path), join(folder, path))
  const problems = async () => (await verify()).findings.map(({ detail }) => detail).sort()
  t.strictSame(await problems(), ['This file was erased, and is there.', 'This file was erased, and is there.', 'This sidecar names the erased user, from before the erasure.', 'This sidecar names the erased user, from before the erasure.'])
  for (const path of gone.filter((one) => one.endsWith('.sidecar.json'))) if (!after.has(path)) await rm(join(folder, path))
  t.strictSame(await problems(), ['This file was erased, and is there.', 'This file was erased, and is there.'])
  for (const path of gone) if (!after.has(path)) await rm(join(folder, path), { force: true })
  t.strictSame(await problems(), [])

  const brought = await publish(store, 'x', { ownerId: 'ada-of-the-test', extension: 'txt' })
  await keep(app.database.client, brought)
  t.strictSame(await problems(), ['The database has a row of the erased user from before the erasure.', 'This sidecar names the erased user, from before the erasure.'])
  const anew = await publish(store, 'x', { ownerId: 'ada-of-the-test', extension: 'txt', epoch: 1 })
  await keep(app.database.client, anew)
  t.equal((await problems()).length, 2, 'what she uploaded since is no finding')
  const [id] = (await verify()).erased.blobs
  await app.database.client.blob.update({ where: { id: brought.id }, data: { id: id?.id ?? '', ownerId: 'bob' } })
  t.ok((await problems()).includes('The database has a row of a blob that was erased.'))
  await writeFile(ledger, '')
  t.match((await verify()).places, [{ hasEntry: true }, { hasEntry: false }])
  t.ok((await problems()).includes('The ledger of erasures has no entry for this receipt.'))
  t.ok((await readdir(home)).includes('ledger.ndjson'))
})

test('a receipt that is none is refused', async (t) => {
  const { config, receiptFile, verify } = await setUp(t)
  await t.rejects(verify(), { name: 'Refusal', message: /cannot be read: ENOENT/ })
  await writeFile(receiptFile, 'nonsense')
  await t.rejects(verify(), { name: 'Refusal', message: /The signature is not.*--public-key/ })
  await writeFile(join(dirname(config.databaseFile), 'erasure-signing.jwk'), '')
  await t.rejects(verify(), { name: 'ConfigError' })
})

test('copies of the database are removed where nobody needs them, and told where a rebuild kept one', async (t) => {
  const { erase, verify, config } = await setUp(t)
  const copies = ['.rebuild-1', '.rebuild-1-wal', '.damaged-2', '.damaged-2-wal'].map((suffix) => config.databaseFile + suffix)
  for (const path of [...copies, join(dirname(config.databaseFile), '.restored-3')]) await writeFile(path, 'ada-of-the-test')
  const findings = copies.slice(2).map((path) => ({ problem: 'erased-present', path, mend: 'Delete this file.' }))
  t.match(await erase(), { findings })
  t.strictSame((await readdir(dirname(config.databaseFile))).filter((name) => /rebuild|restored|damaged/.test(name)), ['gateway.sqlite.damaged-2', 'gateway.sqlite.damaged-2-wal'])
  t.match((await verify()).findings, findings)
})

test('what cannot be removed beside the database keeps no erasure from being done, and is told', async (t) => {
  const { erase, config } = await setUp(t)
  await mkdir(`${config.databaseFile}.rebuild-1`)
  t.match(await erase(), { erased: { counts: { avatars: 1 } }, findings: [{ path: `${config.databaseFile}.rebuild-1` }] })
})

test('a file that is named after an erased one is found, whatever comes after the name', async (t) => {
  const { erase, verify, folder } = await setUp(t)
  const { erased } = await erase()
  const [blob] = erased.blobs
  await mkdir(join(folder, 'avatars', '2020', '01', '01'), { recursive: true })
  await writeFile(join(folder, 'avatars', '2020', '01', '01', `${blob?.id}.png.damaged`), 'x')
  t.match((await verify()).findings, [{ problem: 'erased-present', id: blob?.id, path: `avatars/2020/01/01/${blob?.id}.png.damaged`, mend: 'Delete this file.' }])
})

test('who had only an upload that was not finished, for themselves or for somebody else, is not taken for nobody', async (t) => {
  const { app, as, config } = await setUp(t)
  const begin = async (user: string, headers: Record<string, string>, ...scopes: Scope[]) => app.inject({ method: 'POST', url: '/api/resumable', headers: { ...await as(user, ...scopes), 'tus-resumable': '1.0.0', 'upload-length': '5', ...headers } })
  t.equal((await begin('eve', {})).statusCode, 201)
  t.equal((await begin('bot', { 'x-owner-id': 'bob' }, 'uploads:service')).statusCode, 201)
  for (const owner of ['eve', 'bot']) {
    t.match(await eraseOwner(config, { owner, progress: silent }), { hadAnything: true, erasedBefore: null, erased: { blobs: { length: 0 } } })
    t.match(await eraseOwner(config, { owner, progress: silent }), { hadAnything: false }, 'now there is nothing')
  }
  t.equal(await app.database.client.resumable.count(), 0)
})
