import { mkdirSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { moving } from './fixture.ts'

const posted = async (t: Test) => {
  const place = await moving(t)
  const { id } = await place.post('ada', 'the bytes')
  const paths = (await place.files()).filter((path) => path.startsWith('attachments/'))
  const [blob = '', sidecar = ''] = paths.sort((one) => one.endsWith('.sidecar.json') ? 1 : -1)
  return { ...place, id, blob, sidecar, onVolume: join(place.folder, blob) }
}

test('what is damaged is named, and not copied', async (t) => {
  const { copy, onVolume, keys, blob } = await posted(t)
  writeFileSync(onVolume, 'THE BYTES')
  t.match(await copy(), { files: 0, findings: [{ problem: 'blob-corrupt', path: blob, detail: /^Its bytes have the sha-256 [0-9a-f]{64} instead of [0-9a-f]{64}\.$/ }] })
  truncateSync(onVolume, 3)
  t.match(await copy(), { files: 0, findings: [{ problem: 'blob-size', detail: 'It has 3 bytes instead of 9.' }] })
  rmSync(onVolume)
  t.match(await copy(), { files: 0, findings: [{ problem: 'blob-missing' }], isSame: true })
  t.strictSame(keys().filter((key) => key.startsWith('attachments/')), [])
})

test('what is gone since its row was read is no finding', async (t) => {
  const { copy, onVolume, app, objects } = await posted(t)
  rmSync(onVolume)
  objects.before = async (operation, key) => {
    if (operation === 'read' && key.startsWith('attachments/')) await app.database.client.blob.updateMany({ data: { state: 'purging' } })
  }
  t.match(await copy(), { records: 1, files: 0, findings: { length: 0 } })
})

test('what was purged while it was copied does not stay in the new home', async (t) => {
  const { copy, app, objects, keys, blob } = await posted(t)
  objects.after = async (operation, key) => {
    if (operation === 'putFile' && key === blob) await app.database.client.blob.updateMany({ data: { state: 'purging' } })
  }
  t.match(await copy(), { files: 1, findings: { length: 0 } })
  t.strictSame(keys().filter((key) => key.startsWith('attachments/')), [])
})

test('a change is in the new home after the next pass, also one made while it was copied', async (t) => {
  const { copy, app, as, id, objects, sidecar } = await posted(t)
  const rename = (filename: string) => app.inject({ method: 'PATCH', url: `/api/attachments/${id}`, headers: { ...await0, 'content-type': 'application/json' }, payload: { alt: filename } })
  const await0 = await as('ada')
  const saved = () => JSON.parse(String(objects.bytes(sidecar)))
  let count = 0
  objects.before = async (operation, key) => {
    if (operation === 'putBytes' && key === sidecar && count++ === 0) t.equal((await rename('meanwhile')).statusCode, 200)
  }
  t.match(await copy(), { files: 1, sidecars: 1 })
  t.match(saved(), { alt: 'meanwhile', revision: 2 })
  t.equal((await rename('later')).statusCode, 200)
  t.match(await copy(), { files: 0, sidecars: 1, isSame: false })
  t.match(saved(), { alt: 'later', revision: 3 })
  t.match(await copy(), { sidecars: 0, isSame: true })
})

test('a blob without its sidecar, as after a kill, is read back and not sent twice; what is there instead of it is replaced', async (t) => {
  const { copy, objects, blob, sidecar } = await posted(t)
  await copy()
  await objects.remove(sidecar)
  t.match(await copy(), { files: 0, sidecars: 1 })
  t.ok(objects.bytes(sidecar))
  objects.spoil(blob, Buffer.from('short'))
  t.match(await copy(), { files: 1 })
  objects.spoil(blob, Buffer.from('THE BYTES'))
  objects.spoil(sidecar, Buffer.from('damaged'))
  t.match(await copy(), { files: 1 })
  t.equal(objects.bytes(blob)?.toString(), 'the bytes')
  await objects.remove(blob)
  t.match(await copy(), { files: 1 }, 'a sidecar that came first says nothing')
})

test('a sidecar that is ahead of its row goes along as it is', async (t) => {
  const { copy, app, as, id, objects, sidecar } = await posted(t)
  await app.inject({ method: 'PATCH', url: `/api/attachments/${id}`, headers: { ...await as('ada'), 'content-type': 'application/json' }, payload: { alt: 'ahead' } })
  await app.database.client.blob.updateMany({ data: { revision: 1 } })
  t.match(await copy(), { files: 1, sidecars: 0 })
  t.match(JSON.parse(String(objects.bytes(sidecar))), { revision: 2, alt: 'ahead' })
  t.match(await copy(), { isSame: true })
})

test('a new home that takes no more ends it, with what to do; run again, it goes on', async (t) => {
  const { copy, objects, folder, post } = await posted(t)
  await post('ada', 'more bytes')
  let puts = 0
  objects.before = (operation, key) => { if (operation === 'putFile' && key !== 'database.json' && ++puts > 1) throw new Error('no more') }
  await t.rejects(copy(), { name: 'Refusal', message: /^memory cannot be written: .*Mend that and run this again: it goes on where it was\.$/ })
  t.equal(readdirSync(join(folder, 'staging')).length, 1)
  objects.before = () => {}
  t.match(await copy(), { records: 2, files: 1 })
})

test('what cannot be read in the new home is not taken for damaged', async (t) => {
  const { copy, objects, blob, keys } = await posted(t)
  await copy()
  objects.before = (operation, key) => { if (operation === 'head' && key === blob) throw new Error('no answer') }
  await t.rejects(copy(), { name: 'Refusal', message: 'memory cannot be read: no answer. Mend that and run this again: it goes on where it was.' })
  t.ok(keys().includes(blob))
})

test('a link in the place of a blob is not followed, and a store that does not answer is no finding', async (t) => {
  const { copy, back, onVolume, elsewhere, objects, blob, keys } = await posted(t)
  await copy()
  objects.beforeChunk = (key) => { if (key === blob) throw new Error('no answer') }
  await t.rejects(back(`file:${join(elsewhere, 'back')}`), { message: /no answer/ })
  objects.beforeChunk = () => {}
  for (const key of keys()) await objects.remove(key)
  renameSync(onVolume, `${onVolume}.aside`)
  const { symlinkSync } = await import('node:fs')
  symlinkSync(`${onVolume}.aside`, onVolume)
  t.match(await copy(), { files: 0, findings: [{ problem: 'blob-unreadable', detail: /is not an ordinary file/ }] })
})

test('of a sidecar on a volume that cannot be read the row says what it ought to say; of a store that does not answer nobody does', async (t) => {
  const { copy, back, folder, elsewhere, objects, sidecar } = await posted(t)
  rmSync(join(folder, sidecar))
  mkdirSync(join(folder, sidecar))
  t.match(await copy(), { files: 1, findings: { length: 0 } })
  t.match(JSON.parse(String(objects.bytes(sidecar))), { revision: 1, ownerId: 'ada' })
  t.match(await copy(), { isSame: true })
  objects.before = (operation, key) => { if (operation === 'read' && key === sidecar) throw new Error('no answer') }
  await t.rejects(back(`file:${join(elsewhere, 'back')}`), { code: 'STORAGE_UNAVAILABLE' })
})
