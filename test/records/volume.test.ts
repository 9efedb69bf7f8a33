import { test } from 'tap'
import { createLedger } from '../../src/records/ledger.ts'
import { createVolumeRecord } from '../../src/records/volume.ts'
import { newBlobId } from '../../src/storage/ids.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { hide } from './fixtures/by-hand.ts'
import { databaseFor, keep } from './fixtures/database.ts'

test('a new database knows no volume; the first that it is told is the right one', async (t) => {
  const { client } = await databaseFor(t)
  const volume = createVolumeRecord(client)
  t.strictSame(await volume.known(), { volumeId: undefined, knowsFiles: false })
  await volume.remember('first')
  await volume.remember('second')
  t.strictSame(await volume.known(), { volumeId: 'first', knowsFiles: false })
})

test('a database says which one it is, and always the same', async (t) => {
  const [one, other] = [createVolumeRecord((await databaseFor(t)).client), createVolumeRecord((await databaseFor(t)).client)]
  const [reader, writer] = [{ name: 'one', onlyReads: true }, { name: 'one', onlyReads: false }]
  t.strictSame(await one.claimant(reader), { id: undefined, ...reader }, 'who only reads makes no id')
  const { id } = await one.claimant(writer)
  t.strictSame(await one.claimant(reader), { id, ...reader })
  t.strictSame(await one.claimant(writer), { id, ...writer })
  t.not((await other.claimant(writer)).id, id)
})

test('a database knows files when it has a blob, but not for an id that was only swept', async (t) => {
  const { client } = await databaseFor(t)
  const volume = createVolumeRecord(client)
  await createLedger({ client, settling: { settle: async () => {} }, entomb: async () => {}, now: () => new Date() }).claimOrphan({ id: newBlobId(), kind: 'avatar', extension: 'png' })
  t.match(await volume.known(), { knowsFiles: false })
  await keep(client, sidecarFor('hello', { state: 'deleted' }))
  t.match(await volume.known(), { knowsFiles: true })
})

test('a database that is gone cannot say', async (t) => {
  const { client } = await databaseFor(t)
  await hide(client, 'Setting')
  const volume = createVolumeRecord(client)
  await t.rejects(volume.known(), { code: 'DATABASE_UNAVAILABLE' })
  await t.rejects(volume.remember('first'), { code: 'DATABASE_UNAVAILABLE' })
})
