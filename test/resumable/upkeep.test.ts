// What time, a full volume and erasures leave of unfinished uploads.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'tap'
import { createEngine } from '../../src/resumable/engine.ts'
import { newUploadId } from '../../src/storage/ids.ts'
import { createFaults } from '../fixtures/faults.ts'
import { append, put } from '../fixtures/home-files.ts'
import { isOnObjects } from '../fixtures/object-server.ts'
import { bodyType, cameIn, clientOf, clock, connect, metadata, open, patchHead, until } from './fixture.ts'

test('time removes what is not finished, and never what was', async (t) => {
  const time = clock()
  const settings = { RESUMABLE_EXPIRY_SECONDS: '100', QUOTA_BYTES: '100' }
  const gateway = await open(t, settings, { now: time.now })
  const { ada, folder } = gateway
  const [early, late] = [await ada.begin(10), await ada.begin(10)]
  await ada.send(early, 0, 'hello')
  const done = await ada.create({ 'upload-length': '5', 'content-type': bodyType }, 'hello')
  time.forward(60_000)
  await ada.send(late, 0, 'hello')
  time.forward(50_000)
  t.match((await ada.look(early)).json(), { code: 'RESUMABLE_GONE', status: 410 })
  t.strictSame([(await ada.head(early)).statusCode, (await ada.send(early, 5, 'world')).statusCode, (await ada.end(early)).statusCode], [410, 410, 410])
  t.match(await ada.head(late), { statusCode: 200, headers: { 'upload-offset': '5' } }, 'each request gives it more time')
  const { fs } = gateway.app.home
  await append(fs, join(folder, 'resumable', '01a203e0-1116-77dc-9f84-fb5972ab4fe6', '0-1'), 'of nobody')
  // In a store each name there is an upload's.
  const notes = isOnObjects ? [] : ['resumable/a note']
  for (const note of notes) await put(fs, join(folder, note), 'of somebody')
  await gateway.app.close()

  const next = await open(t, { ...settings, UPLOADS_DIR: folder }, { now: time.now })
  await until('the first is gone', async () => (await next.client.resumable.count()) === 2)
  await until('its bytes are', async () => (await next.kept().catch(() => [])).filter((path) => path.startsWith('resumable/')).length === 1 + notes.length)
  t.match((await next.kept()).filter((path) => path.startsWith('resumable/')), [late.slice('/api/'.length) + '/0-1', ...notes])
  t.equal((await next.ada.head(early)).statusCode, 404)
  t.equal(await next.ada.content(done.headers['upload-result']), 'hello', 'what was finished is no upload any more, and stays')
  t.match((await next.ada.ask('GET', '/api/usage')).json(), { reservedFiles: 1 })
})

test('what an upload has come to is told for as long as its Idempotency-Key holds', async (t) => {
  const time = clock()
  const settings = { RESUMABLE_EXPIRY_SECONDS: '100' }
  const gateway = await open(t, settings, { now: time.now })
  const left = await gateway.ada.begin(5)
  const [good, bad] = ['hello', 'hellO'].map((text) => [{ 'idempotency-key': text, 'upload-length': '5', 'content-type': bodyType, 'upload-metadata': metadata({ sha256: createHash('sha256').update('hello').digest('hex') }) }, text] as const)
  if (good === undefined || bad === undefined) throw new Error('there are two')
  const first = await gateway.ada.create(...good)
  t.match(first, { statusCode: 201, headers: { 'upload-result': /attachments/ } })
  t.match((await gateway.ada.create(...bad)).json(), { code: 'UPLOAD_DIGEST_MISMATCH' })
  await gateway.app.close()
  time.forward(23 * 3_600_000)

  const next = await open(t, { ...settings, UPLOADS_DIR: gateway.folder }, { now: time.now })
  await until('what is not complete is gone', async () => (await next.client.resumable.count()) === 2)
  t.equal((await next.ada.look(left)).statusCode, 404)
  t.match(await next.ada.create(...good), { statusCode: 201, headers: { location: first.headers.location, 'upload-result': first.headers['upload-result'], 'idempotency-replayed': 'true' } })
  t.match((await next.ada.create(...bad)).json(), { code: 'UPLOAD_DIGEST_MISMATCH', status: 422 })
  t.equal(await next.client.attachment.count(), 1)
  await next.app.close()
  time.forward(3_600_001)

  const last = await open(t, { ...settings, UPLOADS_DIR: gateway.folder }, { now: time.now })
  await until('all are gone', async () => (await last.client.resumable.count()) === 0)
  t.equal(await last.client.attachment.count(), 1)
})

test('an upload that is being sent is not removed, also when nothing of it counts yet', async (t) => {
  const time = clock()
  const settings = { RESUMABLE_EXPIRY_SECONDS: '100' }
  const gateway = await open(t, settings, { now: time.now })
  const { ada } = gateway
  const [left, url] = [await ada.begin(10), await ada.begin(10)]
  time.forward(95_000)
  const { socket, answer } = await connect(gateway)
  socket.write(patchHead(url, ada.own, { 'upload-offset': '0', 'content-length': '10', connection: 'close', 'upload-checksum': `sha1 ${createHash('sha1').update('helloworld').digest('base64')}` }) + 'hello')
  await cameIn(gateway)
  time.forward(10_000)
  const other = await open(t, { ...settings, UPLOADS_DIR: gateway.folder }, { now: time.now })
  // Of several, the one that leads removes them.
  await gateway.app.coordination.stepDown()
  await until('the other is gone', async () => (await other.ada.look(left)).statusCode === 404)
  const { expiresAt } = (await ada.look(url)).json()
  socket.write('wor')
  await until('it is kept for longer', async () => (await ada.look(url)).json().expiresAt > expiresAt)
  t.equal((await ada.look(url)).json().offset, 0)
  socket.write('ld')
  t.match(await answer, /^HTTP\/1\.1 204 /)
})

test('who was overtaken while sending does not say how long it is kept', async (t) => {
  const time = clock()
  const settings = { RESUMABLE_EXPIRY_SECONDS: '100' }
  const gateway = await open(t, settings, { now: time.now })
  const { ada } = gateway
  const url = await ada.begin(10)
  const { socket, answer } = await connect(gateway)
  socket.write(patchHead(url, ada.own, { 'upload-offset': '0', 'content-length': '10', connection: 'close', 'upload-checksum': `sha1 ${createHash('sha1').update('helloworld').digest('base64')}` }) + 'hello')
  await cameIn(gateway)
  const other = await open(t, { ...settings, UPLOADS_DIR: gateway.folder }, { now: time.now })
  await other.ada.send(url, 0, 'helloworld')
  const { state, expiresAt } = (await ada.look(url)).json()
  t.equal(state, 'finished')
  time.forward(10_000)
  socket.write('wor')
  t.match(await answer, /^HTTP\/1\.1 409 [^]*RESUMABLE_TAKEN_OVER/)
  t.equal((await ada.look(url)).json().expiresAt, expiresAt)
})

test('what is gone on with while others that expired are removed keeps its bytes and its room', async (t) => {
  const id = newUploadId()
  const touched: string[] = []
  const records = { expired: async () => [{ id }], removeExpired: async () => false, inUse: async () => new Set([id]) }
  const segments = { uploads: async () => [id], remove: async () => { touched.push('segments') } }
  const engine = createEngine({ records, segments, finishing: {}, room: { release: () => { touched.push('room') } } } as never)
  t.equal(await engine.upkeep(), 0)
  t.strictSame(touched, [])
})

test('a volume that takes no more says so, and what it has stays', async (t) => {
  const faults = createFaults()
  const gateway = await open(t, {}, { fs: faults.fs })
  const { ada, client } = gateway
  const url = await ada.begin(10)
  await ada.send(url, 0, 'hello')
  faults.inject({ on: 'writev', path: /resumable/, errno: 'ENOSPC' })
  t.match((await ada.send(url, 5, 'world')).json(), { code: 'STORAGE_FULL', status: 507 })
  t.match(await ada.head(url), { headers: { 'upload-offset': '5' } })
  faults.inject({ on: 'open', path: /resumable\/.*\/5-/, errno: 'EIO' })
  t.match((await ada.send(url, 5, 'world')).json(), { code: 'STORAGE_UNAVAILABLE' })
  faults.inject({ on: 'sync', path: /resumable\/.*\/5-/, errno: 'EIO' })
  t.match((await ada.send(url, 5, 'world')).json(), { code: 'STORAGE_UNAVAILABLE' })
  t.match((await ada.look(url)).json(), { offset: 5 }, 'what may not be durable does not count')
  t.match((await gateway.app.inject('/health/ready')).statusCode, isOnObjects ? 200 : 503, 'a failed fsync is the volume\'s matter')
  t.match(await ada.send(url, 5, 'world'), { statusCode: 204, headers: { 'upload-result': /attachments/ } })
  faults.inject({ on: isOnObjects ? 'unlink' : 'rm', path: /resumable/, errno: 'EIO' })
  t.match(await ada.create({ 'upload-length': '2', 'content-type': bodyType }, 'ab'), { statusCode: 201 }, 'what could not be removed is removed later')
  t.equal(await client.attachment.count(), 2)
})

test('who is erased while an upload is under way, or waits to be finished, has nothing of it left', async (t) => {
  const gateway = await open(t)
  const { ada, app, client, kept } = gateway
  const [admin, bob] = [await clientOf(gateway, 'root', 'uploads:admin'), await clientOf(gateway, 'bob')]
  const url = await ada.begin(10, { filename: 'private.txt' })
  const others = await bob.begin(10)
  await bob.send(others, 0, 'hello')
  const { socket, answer } = await connect(gateway)
  socket.write(patchHead(url, ada.own, { 'upload-offset': '0', 'content-length': '10', connection: 'close' }) + 'hello')
  await until('it came', async () => (await kept()).length > 1)
  t.equal((await admin.ask('DELETE', '/api/users/ada/uploads')).statusCode, 200)
  t.strictSame((await client.resumable.findMany()).map(({ ownerId }) => ownerId), ['bob'])
  socket.write('world')
  t.match(await answer, /^HTTP\/1\.1 410 /)
  t.strictSame(await kept(), [`${others.slice('/api/'.length)}/0-1`])
  t.match(await bob.send(others, 5, 'world'), { statusCode: 204 })
  t.match(await ada.begin(3), /resumable/, 'a new user of that name begins anew')
  t.equal((await app.inject('/health/ready')).statusCode, 200)
})

test('looking after very many of them lets requests have their turn', async (t) => {
  let turns = 0
  let isOver = false
  const count = () => {
    turns += 1
    if (!isOver) setImmediate(count)
  }
  setImmediate(count)
  t.teardown(() => { isOver = true })
  const removed: string[] = []
  const ids = Array.from({ length: 2000 }, () => newUploadId())
  const records = { expired: async () => [], inUse: async (some: readonly string[]) => new Set(some.filter((id) => id !== ids[1999])) }
  const segments = { uploads: async () => ids, remove: async (id: string) => { removed.push(id) } }
  const engine = createEngine({ records, segments, finishing: {} } as never)
  t.equal(await engine.upkeep(), 1)
  isOver = true
  t.ok(turns >= 20, String(turns))
  t.strictSame(removed, [ids[1999]])
})
