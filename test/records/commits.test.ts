import { test } from 'tap'
import { committing } from '../../src/records/commits.ts'
import type { PrismaClient } from '../../src/records/database.ts'
import { isTaken } from '../../src/records/failures.ts'
import { createLedger } from '../../src/records/ledger.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { databaseFor, keep } from './fixtures/database.ts'

const lost = async () => { throw new Error('the connection was lost') }

test('I7: a commit whose answer was lost is a commit when its rows are there', async (t) => {
  const { client } = await databaseFor(t)
  const sidecars = [sidecarFor('one'), sidecarFor('two')]
  await committing(client, sidecars.map(({ id }) => id), async () => {
    for (const sidecar of sidecars) await keep(client, sidecar)
    await lost()
  })
  t.equal(await client.blob.count(), 2)
})

test('I7: one whose rows are not all there is a failure, and its blobs are nobody\'s to remove', async (t) => {
  const { client } = await databaseFor(t)
  const [one, two] = [sidecarFor('one'), sidecarFor('two')]
  await t.rejects(committing(client, [one.id], lost), { code: 'DATABASE_UNAVAILABLE', cause: { message: 'the connection was lost' } })
  await keep(client, one)
  await t.rejects(committing(client, [one.id, two.id], lost), { code: 'DATABASE_UNAVAILABLE' })
})

test('I7: when the rows cannot be read either, it stays unknown: an error, and nothing else', async (t) => {
  const gone = { blob: { findMany: async () => { throw new Error('still lost') } } } as unknown as PrismaClient
  await t.rejects(committing(gone, [sidecarFor('one').id], lost), { code: 'DATABASE_UNAVAILABLE', cause: { message: 'the connection was lost' } })
})

test('I7: unknown is no refusal, which would have the blobs removed: unless the owner is erased, and they are to go in any case', async (t) => {
  const gone = { blob: { findMany: async () => { throw new Error('still lost') } } } as unknown as PrismaClient
  const refusedWith = (code: string) => committing(gone, [sidecarFor('one').id], lost, async () => { throw Object.assign(new Error('refused'), { code }) })
  for (const code of ['ALREADY_ANSWERED', 'QUOTA_EXCEEDED', 'RESUMABLE_GONE']) await t.rejects(refusedWith(code), { code: 'DATABASE_UNAVAILABLE' }, code)
  await t.rejects(refusedWith('OWNER_ERASED'), { code: 'OWNER_ERASED' })
})

test('I5: a commit that comes after the sweep took its id fails, and the id stays swept', async (t) => {
  const { client } = await databaseFor(t)
  const sidecar = sidecarFor('late', { kind: 'attachment', recordId: 'r' })
  t.equal(await createLedger({ client, settling: { settle: async () => {} }, entomb: async () => {}, now: () => new Date() }).claimOrphan(sidecar), true)
  await t.rejects(committing(client, [sidecar.id], () => keep(client, sidecar)), { code: 'UPLOAD_CONFLICT', statusCode: 503 })
  t.match(await client.blob.findMany(), [{ id: sidecar.id, state: 'swept' }])
  t.equal(await client.attachment.count(), 0)
})

test('a value that another upload has taken is told as such, and a commit that works is not asked about', async (t) => {
  const { client } = await databaseFor(t)
  const [one, two] = [sidecarFor('one', { aliases: ['/i/a'] }), sidecarFor('two', { aliases: ['/i/a'] })]
  await committing(client, [one.id], () => keep(client, one))
  const error: unknown = await committing(client, [two.id], () => keep(client, two)).catch((reason: unknown) => reason)
  t.ok(isTaken(error))
  t.equal(await client.blob.count(), 1)
  await t.rejects(committing(client, [one.id], () => keep(client, one)), { code: 'P2002' }, 'also when the very row is there already')
  const deaf = { blob: { findMany: () => t.fail('asked') } } as unknown as PrismaClient
  await committing(deaf, [one.id], async () => {})
})
