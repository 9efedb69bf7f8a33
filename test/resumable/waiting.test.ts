// Complete bytes that wait to be finished: who is at it, and when it is tried again.
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { mock } from 'node:test'
import { test } from 'tap'
import { onVolumeOnly } from '../fixtures/object-server.ts'
import { createFaults } from '../fixtures/faults.ts'
import { build } from '../helper.ts'
import { folderFor } from '../storage/fixtures/volume.ts'
import { collectLog } from '../fixtures/log.ts'
import { createClamdServer } from './clamd-server.ts'
import { clientOf, clock, open, until } from './fixture.ts'

test('who is at it keeps all others from beginning anew, for as long as it takes; of a dead process for 15 seconds', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const [scanner, time] = [await createClamdServer(t), clock()]
  const gateway = await open(t, { CLAMD_URL: scanner.url }, { now: time.now })
  const { ada, client, folder } = gateway
  const { app: other } = await build(t, { UPLOADS_DIR: folder }, { now: time.now })
  const elsewhere = await clientOf({ ...gateway, app: other }, 'ada')
  const url = await ada.begin(5)
  scanner.answer = 'waits'
  const slow = ada.send(url, 0, 'hello')
  await until('it is being scanned', () => scanner.waiting() === 1)
  const heldUntil = async () => Number((await client.resumable.findFirstOrThrow()).heldUntil)
  for (let passed = 0; passed < 40; passed += 10) {
    t.match(await elsewhere.head(url), { statusCode: 423, headers: { 'retry-after': '5' } })
    const before = await heldUntil()
    time.forward(10_000)
    mock.timers.tick(5_000)
    await until('it is held for longer', async () => await heldUntil() === before + 10_000)
  }
  scanner.release()
  t.match(await slow, { statusCode: 204, headers: { 'upload-result': /attachments/ } })
  t.match(await elsewhere.head(url), { statusCode: 200 })
  t.match(await client.resumable.findMany(), [{ epoch: 2, heldUntil: null }], 'one attempt')

  // As a process leaves it that dies in the middle.
  await client.resumable.deleteMany()
  const dead = await ada.begin(5)
  scanner.answer = 'down'
  await ada.send(dead, 0, 'world')
  scanner.answer = 'clean'
  await client.resumable.updateMany({ data: { finishAt: time.now(), heldUntil: new Date(time.now().getTime() + 15_000) } })
  await gateway.app.close()
  const next = await open(t, { UPLOADS_DIR: folder }, { now: time.now })
  t.equal((await next.ada.head(dead)).statusCode, 423)
  time.forward(15_000)
  mock.timers.tick(15_000)
  await until('upkeep has finished it', async () => (await next.ada.look(dead)).json().state === 'finished')
  t.equal(await client.attachment.count().catch(() => next.client.attachment.count()), 2)
})

test('that it is still at it may fail to be said', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const scanner = await createClamdServer(t)
  const log = collectLog()
  const { ada, client } = await open(t, { LOG_LEVEL: 'warn', CLAMD_URL: scanner.url }, { logStream: log.stream })
  const url = await ada.begin(5)
  scanner.answer = 'waits'
  const slow = ada.send(url, 0, 'hello')
  await until('it is being scanned', () => scanner.waiting() === 1)
  await client.$executeRawUnsafe('ALTER TABLE "Resumable" RENAME TO "Elsewhere"')
  mock.timers.tick(5_000)
  await until('it is told', () => log.lines().some(({ msg }) => msg.includes('another process may begin to finish')))
  await client.$executeRawUnsafe('ALTER TABLE "Elsewhere" RENAME TO "Resumable"')
  scanner.release()
  t.match(await slow, { statusCode: 204, headers: { 'upload-result': /attachments/ } })
})

test('what cannot be finished is tried ever more rarely: each attempt copies all of it', async (t) => {
  const [scanner, time] = [await createClamdServer(t), clock()]
  const { ada, client } = await open(t, { CLAMD_URL: scanner.url }, { now: time.now })
  scanner.answer = 'down'
  const url = await ada.begin(5)
  await ada.send(url, 0, 'hello')
  const waits: number[] = []
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const at = Number((await client.resumable.findFirstOrThrow()).finishAt) - time.now().getTime()
    waits.push(at / 1000)
    time.forward(at)
    t.equal((await ada.head(url)).statusCode, 423)
  }
  t.strictSame(waits, [30, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600])
  scanner.answer = 'clean'
  t.equal((await ada.head(url)).statusCode, 200, 'who asks need not wait for that')
})

test('bytes that are not there while the volume is not mounted are not gone', { skip: onVolumeOnly }, async (t) => {
  const scanner = await createClamdServer(t)
  const databases = await folderFor(t)
  const { ada, folder } = await open(t, { CLAMD_URL: scanner.url, DATABASE_URL: `file:${join(databases, 'gateway.sqlite')}` })
  scanner.answer = 'down'
  const [half, whole] = [await ada.begin(10), await ada.begin(5)]
  await ada.send(half, 0, 'hello')
  t.equal((await ada.send(whole, 0, 'hello')).statusCode, 423)
  scanner.answer = 'clean'
  await rename(folder, `${folder}.away`)
  await mkdir(folder)
  t.strictSame([(await ada.head(half)).statusCode, (await ada.send(half, 5, 'world')).statusCode, (await ada.send(half, 5, 'world')).statusCode, (await ada.head(whole)).statusCode], [503, 503, 503, 423])
  await rm(folder, { recursive: true })
  await rename(`${folder}.away`, folder)
  t.match(await ada.head(whole), { statusCode: 200, headers: { 'upload-result': /attachments/ } })
  t.match(await ada.head(half), { statusCode: 200, headers: { 'upload-offset': '5' } })
  t.match(await ada.send(half, 5, 'world'), { statusCode: 204 })
})

test('an attempt that fails before it begins is over all the same', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const [scanner, time, faults] = [await createClamdServer(t), clock(), createFaults()]
  const { ada, client } = await open(t, { CLAMD_URL: scanner.url }, { now: time.now, fs: faults.fs })
  const url = await ada.begin(5)
  scanner.answer = 'down'
  t.equal((await ada.send(url, 0, 'hello')).statusCode, 423)
  scanner.answer = 'clean'
  const { blobId } = await client.resumable.findFirstOrThrow()
  faults.inject({ on: 'unlink', path: new RegExp(blobId), errno: 'EIO' })
  t.equal((await ada.head(url)).statusCode, 423)
  time.forward(5000)
  mock.timers.tick(5000)
  t.equal((await client.resumable.findFirstOrThrow()).heldUntil, null, 'nobody says that they are still at it')
  t.equal((await ada.head(url)).statusCode, 200)
})
