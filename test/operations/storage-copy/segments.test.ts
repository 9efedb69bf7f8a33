import { appendFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { silent as progress } from '../../../src/operations/progress.ts'
import { copySegments } from '../../../src/operations/storage-copy/segments.ts'
import { fileSystem } from '../../../src/storage/fs.ts'
import { newUploadId, type UploadId } from '../../../src/storage/ids.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { openVolume } from '../../storage/fixtures/volume.ts'
import { moving } from './fixture.ts'

const tus = { 'tus-resumable': '1.0.0' }

async function resuming (t: Test) {
  const place = await moving(t)
  const headers = { ...tus, ...await place.as('ada') }
  const { headers: { location } } = await place.app.inject({ method: 'POST', url: '/api/resumable', headers: { ...headers, 'upload-length': '11' } })
  const send = (app: typeof place.app, offset: number, payload: string) =>
    app.inject({ method: 'PATCH', url: String(location), headers: { ...headers, 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' }, payload })
  const id = String(location).split('/').at(-1) ?? ''
  return { ...place, headers, send, id, url: String(location), segments: () => place.keys().filter((key) => key.startsWith('resumable/')) }
}

test('what has come of an unfinished upload goes along, once, and the upload goes on in the new home', async (t) => {
  const { app, send, copy, segments, id, moved, as, folder } = await resuming(t)
  t.equal((await send(app, 0, 'hello ')).statusCode, 204)
  const [name = ''] = readdirSync(join(folder, 'resumable', id))
  writeFileSync(join(folder, 'resumable', id, 'notes.txt'), 'foreign')
  t.match(await copy(), { segments: 1, segmentBytes: 6, isSame: false })
  t.strictSame(segments(), [`resumable/${id}/${name}`])
  t.match(await copy(), { segments: 0, isSame: true })
  appendFileSync(join(folder, 'resumable', id, name), 'more of the same writer')
  t.match(await copy(), { segments: 1, segmentBytes: 29 })
  await app.close()
  rmSync(folder, { recursive: true })
  const { app: other } = await moved({})
  const { statusCode, headers } = await send(other, 6, 'world')
  t.equal(statusCode, 204)
  t.equal((await other.inject({ url: `${String(headers['upload-result'])}/content`, headers: await as('ada') })).payload, 'hello world')
})

test('an upload that is only in the old home goes on in the new one, and is removed from both when it is done', async (t) => {
  const { app, send, copy, segments, id, moved, as, folder } = await resuming(t)
  await copy()
  t.equal((await send(app, 0, 'hello ')).statusCode, 204)
  const { app: other } = await moved()
  t.equal((await send(other, 6, 'w')).statusCode, 204)
  t.equal(segments().length, 1)
  const { headers } = await send(other, 7, 'orld')
  t.equal((await other.inject({ url: `${String(headers['upload-result'])}/content`, headers: await as('ada') })).payload, 'hello world')
  t.strictSame([segments(), readdirSync(join(folder, 'resumable'))], [[], []])
  t.notOk(readdirSync(join(folder, 'resumable')).includes(id))
})

test('what is over, and what nobody knows, stays where it is', async (t) => {
  const { copy, segments, folder, app, send } = await resuming(t)
  await send(app, 0, 'hello ')
  await app.database.client.resumable.updateMany({ data: { state: 'failed' } })
  const unknown = join(folder, 'resumable', newUploadId())
  mkdirSync(unknown)
  writeFileSync(join(unknown, '0-1'), 'x')
  t.match(await copy(), { segments: 0, isSame: true })
  t.strictSame(segments(), [])
})

test('an upload that is over by the time its turn comes has nothing to bring', async (t) => {
  const { id, app: { database: { client } } } = await resuming(t)
  const volume = await openVolume(t)
  const source = { fs: fileSystem, root: volume.root, name: '', storage: { ...volume, segments: { ...volume.segments, uploads: async () => [id as UploadId] } } }
  t.strictSame(await copySegments(source as never, source as never, { client, progress }), { segments: 0, segmentBytes: 0 })
})

test('what goes away or cannot be read meanwhile: the one is no matter, the other is told', async (t) => {
  const { copy, segments, folder, app, send, id, objects } = await resuming(t)
  await send(app, 0, 'hello ')
  const path = join(folder, 'resumable', id)
  const [name = ''] = readdirSync(path)
  objects.before = (operation, key) => { if (key.startsWith(`resumable/${id}`) && operation === 'putFile') throw new Error('no more') }
  await t.rejects(copy(), { message: 'no more' })
  t.strictSame(segments(), [])
  objects.before = () => {}
  rmSync(join(path, name))
  mkdirSync(join(path, name))
  await t.rejects(copy(), { name: 'NotRegular' })
  rmSync(path, { recursive: true })
  writeFileSync(path, 'x')
  await t.rejects(copy(), { code: 'ENOTDIR' })
})

test('an upload that is finished while it is copied has no segments any more; one whose segment is there is told', async (t) => {
  const { app, send, id, folder } = await resuming(t)
  await send(app, 0, 'hello ')
  const [faults, volume] = [createFaults(), await openVolume(t)]
  const storage = { segments: { uploads: async () => [id as UploadId] } }
  const run = () => copySegments({ fs: faults.fs, root: folder, name: '', storage } as never, { fs: fileSystem, root: volume.root, name: '', storage: volume } as never, { client: app.database.client, progress })
  faults.inject({ on: 'open', path: /resumable/, errno: 'ENOENT' })
  await t.rejects(run(), { code: 'ENOENT' })
  faults.inject({ on: 'open', path: /resumable/, before: () => { rmSync(join(folder, 'resumable', id), { recursive: true }) } })
  t.strictSame(await run(), { segments: 0, segmentBytes: 0 })
  t.strictSame(await volume.files(), [])
})
