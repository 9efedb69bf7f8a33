import { createConnection, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { test } from 'tap'
import { createLedger } from '../../src/records/ledger.ts'
import { createTombstoneRecords } from '../../src/records/tombstones.ts'
import type { Sidecar } from '../../src/storage/sidecar.ts'
import { blobPath, sidecarPath } from '../../src/storage/volume/layout.ts'
import { erasureAt } from '../../src/users/service.ts'
import { createFaults } from '../fixtures/faults.ts'
import { append, copy, filesOf, put as putFile } from '../fixtures/home-files.ts'
import { isOnObjects } from '../fixtures/object-server.ts'
import { multipart, picture, temporaryFolder, type Gateway } from '../helper.ts'
import { keep } from '../records/fixtures/database.ts'
import { publish } from '../storage/fixtures/volume.ts'
import { withUploads } from './fixtures.ts'

const name = 'ada-with-a-name-of-her-own'
const file = 'a-very-private-document'

/** The service of a gateway, as a command beside it has one. */
function besides ({ app, folder }: Gateway, now = () => new Date()) {
  const { database: { client }, storage, home: { fs } } = app
  const tombstones = createTombstoneRecords({ client, tombstones: storage.tombstones, hash: storage.hash, now })
  return erasureAt({ fs, root: folder, client, storage, now, ledger: createLedger({ client, settling: { settle: async () => {} }, entomb: tombstones.entomb, now }) })
}

const later = (seconds: number) => () => new Date(Date.now() + seconds * 1000)

async function fill (gateway: Awaited<ReturnType<typeof withUploads>>) {
  const { attach, setAvatar, app, as } = gateway
  for (const user of [name, 'bob']) {
    for (const seed of [1, 2, 3]) await setAvatar(user, seed)
    const kept = await Promise.all([1, 2].map((index) => attach(user, `${file}-${index}.txt`)))
    await app.inject({ method: 'DELETE', url: `/api/attachments/${kept[0]?.json().attachments[0].id}`, headers: await as(user) })
  }
}

const entriesIn = (text: string) => text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line))

const ledgerOf = async (gateway: Gateway) => entriesIn(await gateway.read('erasures.ndjson'))

/** One in its second place, which is a file of this machine. */
const ledgerAt = async (path: string) => entriesIn(await readFile(path, 'utf8'))

test('everything of a user goes, live, replaced and deleted, and nothing of anybody else', async (t) => {
  const second = join(await temporaryFolder(t), 'ledger.ndjson')
  const gateway = await withUploads(t, { ERASURE_LEDGER: second })
  await fill(gateway)
  t.equal((await gateway.filesWith(name)).length > 5, true)
  const { app } = gateway
  const answer = await gateway.erase(name)
  t.equal(answer.statusCode, 200)
  t.match(answer.json().erased, { epoch: 1, counts: { avatars: 3, attachments: 2, accounts: 0 }, owner: app.storage.hash('owner', name) })
  await besides(gateway, later(31)).followUp()
  t.strictSame(await gateway.filesWith(name), [], 'her name is nowhere')
  t.equal((await gateway.filesWith(file)).length > 0, true, 'what bob called the same is there')
  t.equal(await app.database.client.blob.count({ where: { ownerId: 'bob' } }), 5)
  t.equal(await app.database.client.blob.count(), 5)
  const [entry, ...others] = await ledgerOf(gateway)
  t.match(entry, { id: answer.json().erased.id, epoch: 1, owner: answer.json().erased.owner })
  t.strictSame(others, [])
  t.strictSame(await ledgerAt(second), [entry])
})

test('asked again, the receipt names what the one before did, which may not have arrived, and what has come since', async (t) => {
  const gateway = await withUploads(t)
  await fill(gateway)
  const first = (await gateway.erase(name)).json()
  const second = (await gateway.erase(name)).json()
  t.match(second, { erased: { epoch: 2, counts: first.erased.counts } })
  t.strictSame(second.erased.blobs, first.erased.blobs)
  await gateway.attach(name, 'new.txt')
  t.match((await gateway.erase(name)).json(), { erased: { epoch: 3, counts: { avatars: 3, attachments: 3 } } })
  t.match((await gateway.erase('nobody')).json(), { erased: { blobs: { length: 0 }, counts: { avatars: 0, attachments: 0, bytes: 0, accounts: 0 } } })
})

test('of an erasure that ends half-way, the receipt of the next one names all, whoever finished it', async (t) => {
  for (const finish of ['asked again', 'the next start'] as const) {
    const faults = createFaults()
    const gateway = await withUploads(t, {}, { fs: faults.fs })
    const { client } = gateway.app.database
    await fill(gateway)
    await client.account.create({ data: { id: name, email: 'ada@example.org', displayName: 'a', passwordHash: '', createdAt: new Date(0), updatedAt: new Date(0) } })
    const orphans = [await publish(gateway.app.storage.store, 'x', { ownerId: name, extension: 'txt' }), await publish(gateway.app.storage.store, 'x', { ownerId: name, extension: 'txt' })]
    const ids = [...await client.blob.findMany({ where: { ownerId: name } }), ...orphans].map(({ id }) => id as string).sort()
    faults.inject({ on: 'unlink', path: /\.png$/, nth: 2, errno: 'EIO' })
    t.match(await gateway.erase(name), { statusCode: 503 })
    t.equal(await client.blob.count({ where: { ownerId: name } }), 1, 'the others are gone, and so are their rows')
    faults.heal()
    faults.inject({ on: 'unlink', path: new RegExp(`${orphans.map(({ id }) => `${id}\\.txt`).join('|')}`), nth: 2, errno: 'EIO' })
    t.match(await gateway.erase(name), { statusCode: 503 }, 'one of what has no row is gone')
    faults.heal()
    if (finish === 'the next start') {
      await gateway.app.close()
      const again = await withUploads(t, { UPLOADS_DIR: gateway.folder })
      t.equal(await again.app.database.client.blob.count(), 5)
      const { erased } = (await again.erase(name)).json()
      t.strictSame(erased.blobs.map(({ id }: { id: string }) => id), ids, finish)
      t.match(erased.counts, { avatars: 5, attachments: 2, accounts: 1 })
    } else {
      const { erased } = (await gateway.erase(name)).json()
      t.strictSame(erased.blobs.map(({ id }: { id: string }) => id), ids, finish)
      t.match(erased.counts, { avatars: 5, attachments: 2, accounts: 1 })
    }
  }
})

test('what receipts name is forgotten 30 days after the last one, and not before there was one', async (t) => {
  const faults = createFaults()
  const gateway = await withUploads(t, {}, { fs: faults.fs })
  const days = (count: number) => besides(gateway, later(count * 24 * 60 * 60))
  const named = async (owner: string) => (await days(0).earlier(owner))?.erased.blobs.length
  await fill(gateway)
  t.equal(await named(name), undefined)
  await gateway.erase(name)
  faults.inject({ on: 'unlink', path: /\.png$/, nth: 1, errno: 'EIO' })
  t.match(await gateway.erase('bob'), { statusCode: 503 })
  faults.heal()
  await days(29).replay()
  t.equal(await named(name), 5)
  await days(31).replay()
  t.equal(await named(name), 0)
  t.equal(await named('bob'), 5, 'nobody has a receipt of it')
  t.equal(await gateway.app.database.client.blob.count(), 0)
  t.equal((await gateway.erase('bob')).json().erased.blobs.length, 5)
  await days(31).replay()
  t.equal(await named('bob'), 0)
})

test('two at once erase it once, and both have a receipt', async (t) => {
  const gateway = await withUploads(t)
  await fill(gateway)
  const answers = await Promise.all([gateway.erase(name), gateway.erase(name), gateway.erase('bob')])
  t.strictSame(answers.map(({ statusCode }) => statusCode), [200, 200, 200])
  t.strictSame(answers.map((answer) => answer.json().erased.epoch).sort(), [1, 2, 3])
  const ids = new Set(answers.slice(0, 2).flatMap((answer) => answer.json().erased.blobs.map(({ id }: { id: string }) => id)))
  t.equal(ids.size, 5)
  t.equal(await gateway.app.database.client.blob.count(), 0)
  t.strictSame((await gateway.files()).filter((path) => /^(avatars|attachments)/.test(path)), [])
})

test('who was erased may upload anew, and keeps that through every replay', async (t) => {
  const gateway = await withUploads(t)
  await fill(gateway)
  await gateway.erase(name)
  t.equal((await gateway.setAvatar(name, 9)).statusCode, 201)
  t.equal((await gateway.attach(name, 'new.txt')).statusCode, 201)
  const service = besides(gateway, later(31))
  t.strictSame(await service.replay(), { owners: 0, blobs: 0 })
  t.strictSame(await service.replay({ isFull: true }), { owners: 0, blobs: 0 })
  t.equal((await gateway.app.inject(`/api/avatars/${name}`)).statusCode, 200)
  t.match(await gateway.app.database.client.erasure.findMany(), [{ finishedAt: Date }])
  t.strictSame(await service.followUp(), { owners: 0, blobs: 0 })
})

test('the embedded account of the id goes too, with its tokens', async (t) => {
  const gateway = await withUploads(t)
  const { app } = gateway
  const registered = (await app.inject({ method: 'POST', url: '/api/auth/register', payload: { email: 'ada@example.org', password: 'a long password' } })).json()
  const { id } = registered.user
  t.match((await gateway.erase(id)).json(), { erased: { counts: { accounts: 1 } } })
  t.equal(await app.database.client.account.count(), 0)
  t.equal((await app.inject({ url: '/api/auth/profile', headers: { authorization: `Bearer ${registered.token}` } })).statusCode, 401)
})

test('what a restored database brings back goes again, the account too', async (t) => {
  const gateway = await withUploads(t)
  const { app } = gateway
  const { client } = app.database
  await fill(gateway)
  const registered = (await app.inject({ method: 'POST', url: '/api/auth/register', payload: { email: 'ada@example.org', password: 'a long password' } })).json()
  await gateway.erase(name)
  await gateway.erase(registered.user.id)
  // As it was before: the rows of the erasures, and what they erased.
  await client.erasure.deleteMany()
  await client.owner.deleteMany()
  const brought = await publish(app.storage.store, 'x', { kind: 'attachment', ownerId: name, recordId: 'r', filename: file, visibility: 'private', extension: 'txt' })
  await keep(client, brought)
  await client.account.create({ data: { id: registered.user.id, email: 'ada@example.org', displayName: 'a', passwordHash: '', createdAt: new Date(0), updatedAt: new Date(0) } })
  t.strictSame(await besides(gateway, later(31)).replay(), { owners: 1, blobs: 1 })
  t.strictSame(await gateway.filesWith(name), [])
  t.equal(await client.account.count(), 0)
  t.match(await client.erasure.findMany({ orderBy: { epoch: 'asc' } }), [{ epoch: 1, finishedAt: Date }, { epoch: 2, finishedAt: Date }])
})

test('what is on the volume without a row goes too when its sidecar names them, from before; the rest is left to the sweep', async (t) => {
  const gateway = await withUploads(t)
  const { store } = gateway.app.storage
  const orphan = (more: Partial<Sidecar>) => publish(store, 'x', { extension: 'txt', ...more })
  await orphan({ ownerId: name })
  const others = [await orphan({ ownerId: 'bob' }), await orphan({ ownerId: null, creatorId: null, state: 'pending' }), await orphan({ ownerId: name, epoch: 1 })]
  const damaged = await orphan({ ownerId: name })
  await putFile(gateway.app.home.fs, sidecarPath(gateway.folder, damaged), 'damaged')
  const answer = await gateway.erase(name)
  t.match(answer.json().erased, { counts: { avatars: 1 } })
  const left = (await gateway.files()).filter((path) => path.startsWith('avatars') && path.endsWith('.txt')).map((path) => path.slice(-40, -4)).sort()
  t.strictSame(left, [...others, damaged].map(({ id }) => id as string).sort())
})

test('a ledger that cannot be written in every place is told, and nothing is erased by then; it is done as soon as it can', async (t) => {
  const faults = createFaults()
  const second = join(await temporaryFolder(t), 'ledger.ndjson')
  const gateway = await withUploads(t, { ERASURE_LEDGER: second }, { fs: faults.fs })
  await fill(gateway)
  for (const path of [/erasures\.ndjson/, /ledger\.ndjson/]) {
    faults.inject({ on: 'sync', path, errno: 'EIO' })
    t.match(await gateway.erase(name), { statusCode: 503 })
    t.equal(await gateway.app.database.client.blob.count(), 10)
    faults.heal()
  }
  t.equal((await gateway.setAvatar(name, 7)).statusCode, 200, 'who was not erased may upload')
  t.strictSame(await besides(gateway).replay(), { owners: 1, blobs: 5 })
  t.equal(await gateway.app.database.client.blob.count({ where: { ownerId: name } }), 1)
  const [volumeLedger, secondLedger] = await Promise.all([ledgerOf(gateway), ledgerAt(second)])
  const ids = (entries: Array<{ id: string }>) => [...new Set(entries.map(({ id }) => id))].sort()
  t.ok(ids(volumeLedger).length > 0)
  t.strictSame(ids(volumeLedger), ids(secondLedger))
})

test('whichever step of it fails, the next start finishes it', async (t) => {
  const steps = [
    { on: 'open' as const, path: /tombstones/, errno: 'EIO' },
    { on: 'unlink' as const, path: /sidecar/, errno: 'EIO' },
    { on: 'unlink' as const, path: /\.png$/, nth: 2, errno: 'EIO' },
    // A store has no folders to be made durable.
    ...isOnObjects ? [] : [{ on: 'sync' as const, path: /avatars/, errno: 'EIO' }],
    { on: 'readdir' as const, path: /attachments/, errno: 'EIO' },
  ]
  for (const fault of steps) {
    const faults = createFaults()
    const gateway = await withUploads(t, {}, { fs: faults.fs })
    await fill(gateway)
    faults.inject({ ...fault, forever: true })
    t.match(await gateway.erase(name), { statusCode: 503 }, `${fault.on} ${fault.path}`)
    t.equal((await gateway.app.inject(`/api/avatars/${name}`)).statusCode, 404, 'it is shown no more')
    await gateway.app.close()
    const again = await withUploads(t, { UPLOADS_DIR: gateway.folder })
    await besides(again, later(31)).followUp()
    t.strictSame(await again.filesWith(name), [], `${fault.on} ${fault.path}`)
    t.equal(await again.app.database.client.blob.count(), 5)
    await again.app.close()
  }
})

test('an erasure that only the ledger knows is carried out at the start; one of another volume is not', async (t) => {
  const gateway = await withUploads(t)
  await fill(gateway)
  await gateway.erase(name)
  await gateway.erase('bob')
  const text = await gateway.read('erasures.ndjson')
  await gateway.app.close()

  const second = join(await temporaryFolder(t), 'ledger.ndjson')
  await writeFile(second, text)
  const other = await withUploads(t, { ERASURE_LEDGER: second })
  t.equal(await other.app.database.client.erasure.count(), 0, 'it is of another volume')
  await other.app.close()

  await (await filesOf(t, gateway.folder)).unlink(join(gateway.folder, 'erasures.ndjson'))
  const again = await withUploads(t, { UPLOADS_DIR: gateway.folder, ERASURE_LEDGER: second })
  t.equal((await ledgerOf(again)).length, 2, 'each place has what the other had')
  await again.app.database.client.erasure.deleteMany()
  await again.app.close()
  const third = await withUploads(t, { UPLOADS_DIR: gateway.folder, ERASURE_LEDGER: second })
  t.equal(await third.app.database.client.erasure.count(), 2)
})

test('two histories of one volume that gave the same number to two erasures are both carried out', async (t) => {
  const gateway = await withUploads(t)
  await fill(gateway)
  const { client } = gateway.app.database
  await gateway.erase('eve')
  await client.erasure.updateMany({ data: { id: 'of the other history', ownerKey: gateway.app.storage.hash('owner', 'bob') } })
  await append(gateway.app.home.fs, join(gateway.folder, 'erasures.ndjson'), '\n')
  await gateway.erase(name)
  t.strictSame(await besides(gateway).replay(), { owners: 1, blobs: 5 }, 'bob is erased by the row, eve by the ledger')
  t.equal(await client.blob.count(), 0)
  t.equal((await ledgerOf(gateway)).length >= 3, true)
})

test('an upload in flight of a user who is erased leaves nothing, and is told why', async (t) => {
  const gateway = await withUploads(t)
  const { app, as } = gateway
  await app.listen({ port: 0 })
  const { port } = app.server.address() as AddressInfo
  const bytes = randomBytes(200_000)
  const { authorization } = await as(name)
  const begin = async (path: string, headers: string, method = 'POST') => {
    const socket = createConnection(port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    let answer = ''
    socket.setEncoding('latin1').on('data', (chunk: string) => { answer += chunk })
    socket.write(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: ${authorization}\r\nContent-Length: ${bytes.length}\r\n${headers}\r\n\r\n`)
    socket.write(bytes.subarray(0, 100_000))
    return { finish: async () => { socket.write(bytes.subarray(100_000)); await once(socket, 'close'); return answer } }
  }
  const uploads = [await begin('/api/attachments', 'Content-Type: application/octet-stream'), await begin('/api/attachments', 'Content-Type: text/plain')]
  while ((await app.storage.staging.usage()).files < 2) await new Promise((resolve) => { setTimeout(resolve, 10) })
  t.equal((await gateway.erase(name)).statusCode, 200)
  for (const upload of uploads) t.match(await upload.finish(), /^HTTP\/1\.1 410 [^]*OWNER_ERASED/)
  t.strictSame((await gateway.files()).filter((path) => /^(avatars|attachments)/.test(path)), [])
  t.strictSame(await app.storage.staging.usage(), { files: 0, bytes: 0 })
  t.equal(await app.database.client.blob.count(), 0)
})

test('every way to upload obeys the erasure: avatars, old clients, services, pictures that are claimed', async (t) => {
  const gateway = await withUploads(t, { COMPAT_ANONYMOUS_AVATARS: 'true' })
  const { app, as } = gateway
  const form = await multipart([['avatar', { bytes: await picture('png'), filename: 'a.png', type: 'image/png' }]])
  const pending = (await app.inject({ method: 'POST', url: '/api/upload/avatar', ...form })).json()
  // The epoch that requests see stands still, as if each had begun before the erasure.
  const { findFirst } = app.database.client.erasure
  const service = besides(gateway)
  await gateway.erase(name)
  app.database.client.erasure.findFirst = (async () => null) as unknown as typeof findFirst
  const asHer = await as(name)
  const asService = await as('billing', 'uploads:service')
  const attempts = {
    avatar: await gateway.setAvatar(name, 1),
    'avatar by a service': await app.inject({ method: 'PUT', url: `/api/avatars/${name}`, headers: { ...asService, 'content-type': 'image/png' }, payload: await picture('png') }),
    'of an Express client': await app.inject({ method: 'PUT', url: '/api/auth/avatar', headers: { ...form.headers, ...asHer }, payload: form.payload }),
    'of a Next.js client': await app.inject({ method: 'POST', url: '/api/upload/avatar', headers: { ...form.headers, ...asHer }, payload: form.payload }),
    claim: await app.inject({ method: 'PATCH', url: '/api/users/me/avatar', headers: asHer, payload: { avatar: pending.url } }),
    attachment: await gateway.attach(name, 'a.txt'),
    'for her and another': await gateway.attach('', 'a.txt', { headers: asService, more: [['ownerId', name]] }),
  }
  for (const [what, answer] of Object.entries(attempts)) {
    t.equal(answer.statusCode, 410, what)
    t.match(answer.json(), { code: 'OWNER_ERASED' }, what)
  }
  t.equal((await gateway.setAvatar('bob', 1)).statusCode, 201, 'others are not concerned')
  app.database.client.erasure.findFirst = findFirst
  // What is remembered of these rows is forgotten.
  await app.database.client.$executeRaw`UPDATE "Erasure" SET "epoch" = "epoch"`
  t.equal((await app.inject({ method: 'PATCH', url: '/api/users/me/avatar', headers: asHer, payload: { avatar: pending.url } })).statusCode, 200, 'what began later may')
  t.match(await app.database.client.blob.findFirst({ where: { ownerId: name } }), { epoch: 1, creatorId: null })
  t.strictSame(await service.replay({ isFull: true }), { owners: 0, blobs: 0 })
  t.equal(await app.database.client.blob.count(), 2)
})

test('going back to an earlier picture leaves it in its own epoch, so that it is erased with the others', async (t) => {
  const gateway = await withUploads(t)
  const { app, as } = gateway
  await gateway.setAvatar(name, 1)
  await gateway.setAvatar(name, 2)
  await gateway.erase('bob')
  const { versions } = (await app.inject({ url: '/api/avatars/me/versions', headers: await as(name) })).json()
  const earlier = versions.find(({ isCurrent }: { isCurrent: boolean }) => !isCurrent).version
  t.equal((await app.inject({ method: 'POST', url: `/api/avatars/me/versions/${earlier}/restore`, headers: await as(name) })).statusCode, 200)
  t.match(await app.database.client.blob.findUnique({ where: { id: earlier } }), { state: 'live', epoch: 0 })
  t.match((await gateway.erase(name)).json(), { erased: { counts: { avatars: 2 } } })
})

test('what an audit put aside of an erased blob goes with it, wherever a sidecar still says whose it is', async (t) => {
  const gateway = await withUploads(t)
  const { store } = gateway.app.storage
  const { folder, app: { home: { fs } } } = gateway
  const secret = 'her private bytes'
  const put = (more: Partial<Sidecar>) => publish(store, secret, { extension: 'txt', ownerId: name, ...more })
  const known = await put({})
  await keep(gateway.app.database.client, known)
  const orphan = await put({})
  const forgotten = await put({})
  const others = await put({ ownerId: 'bob' })
  await keep(gateway.app.database.client, others)
  for (const sidecar of [known, orphan, forgotten]) {
    await copy(fs, blobPath(folder, sidecar), `${blobPath(folder, sidecar)}.damaged`)
    await copy(fs, blobPath(folder, sidecar), `${blobPath(folder, sidecar)}.damaged-2`)
  }
  // As of a blob that was purged since: only what was put aside says whose it is.
  await fs.unlink(blobPath(folder, forgotten))
  await fs.rename(sidecarPath(folder, forgotten), `${sidecarPath(folder, forgotten)}.damaged`)
  // Put aside under another's name, as two that were swapped.
  await copy(fs, sidecarPath(folder, known), `${sidecarPath(folder, others)}.damaged`)
  const strange = [[`${sidecarPath(folder, others)}.damaged-2`, 'nonsense'], [`${sidecarPath(folder, others)}.damaged-3`, 'x'.repeat(1024 ** 2 + 1)]] as const
  for (const [path, text] of strange) await putFile(fs, path, text)
  if (!isOnObjects) await symlink('/dev/zero', `${sidecarPath(folder, others)}.damaged-4`)
  t.match((await gateway.erase(name)).json(), { erased: { counts: { avatars: 3 } } })
  t.strictSame((await gateway.filesWith(name)).filter((path) => !path.startsWith('database')), [])
  t.strictSame(await gateway.filesWith(secret), [blobPath(folder, others).slice(folder.length + 1)], 'only what is bob\'s')
  t.strictSame((await gateway.files()).filter((path) => path.startsWith('avatars')).length, 4)
})

test('after the ledger was lost, an erasure erases what the lost ones had counted', async (t) => {
  const gateway = await withUploads(t)
  const { client } = gateway.app.database
  for (const user of ['x', 'y', 'z']) await gateway.erase(user)
  await gateway.attach(name, 'a.txt')
  t.match(await client.blob.findFirst(), { epoch: 3 })
  await client.erasure.deleteMany()
  await client.owner.deleteMany()
  await gateway.app.home.fs.unlink(join(gateway.folder, 'erasures.ndjson'))
  t.match((await gateway.erase(name)).json(), { erased: { epoch: 4, counts: { attachments: 1 } } })
  t.equal(await client.blob.count(), 0)
})

test('of many erasures in a row, all that are open are looked at again at once, and not with every tick', async (t) => {
  const faults = createFaults()
  const gateway = await withUploads(t, {}, { fs: faults.fs })
  const { client } = gateway.app.database
  const clock = { at: Date.now() }
  const service = besides(gateway, () => new Date(clock.at))
  for (const user of ['x', 'y', 'z']) {
    await service.erase(user)
    clock.at += 5000
  }
  const scans = async () => {
    faults.heal()
    await service.followUp()
    return faults.calls.filter(({ on, path }) => on === 'readdir' && path === gateway.folder).length
  }
  const open = () => client.erasure.count({ where: { finishedAt: null } })
  clock.at += 15_000
  t.equal(await scans(), 1)
  t.equal(await open(), 2)
  clock.at += 15_000
  t.equal(await scans(), 0, 'the others can wait for each other')
  clock.at += 15_000
  t.equal(await scans(), 1)
  t.equal(await open(), 0)
})

test('what was answered to requests with a key goes when an erasure that was cut short is finished, but for what came after it', async (t) => {
  const gateway = await withUploads(t)
  const { client } = gateway.app.database
  const { hash } = gateway.app.storage
  await gateway.attach(name, `${file}.txt`)
  const { erased } = (await gateway.erase(name)).json()
  const answer = { fingerprint: 'f', status: 201, headers: '{}', body: JSON.stringify({ ownerId: name }), ownerKeys: [hash('owner', 'bob'), hash('owner', name)].join(), createdAt: new Date() }
  await client.answer.create({ data: { ...answer, key: 'before', epoch: erased.epoch - 1 } })
  await client.answer.create({ data: { ...answer, key: 'after', epoch: erased.epoch } })
  await client.answer.create({ data: { ...answer, key: 'bob', ownerKeys: hash('owner', 'bob'), epoch: 0 } })
  await besides(gateway, later(31)).followUp()
  t.strictSame((await client.answer.findMany({ orderBy: { key: 'asc' } })).map(({ key, body }) => [key, body]), [['after', answer.body], ['before', ''], ['bob', answer.body]])
})

test('an erasure is told to the other gateways once it is in the rows, before anything is removed', async (t) => {
  const gateway = await withUploads(t)
  await fill(gateway)
  const { app, as } = gateway
  const { client } = app.database
  const seen: Array<Promise<number[]>> = []
  app.coordination.hear('erased', () => seen.push(Promise.all([client.erasure.count(), client.blob.count({ where: { ownerId: name } })])))
  t.equal((await app.inject({ method: 'DELETE', url: `/api/users/${name}/uploads`, headers: await as('root', 'uploads:admin') })).statusCode, 200)
  t.strictSame(await Promise.all(seen), [[1, 5]])
})
