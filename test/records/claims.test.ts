import t, { type Test } from 'tap'
import { v7 } from 'uuid'
import { createClaims, type Dispute } from '../../src/records/claims.ts'
import { asBlobId, newBlobId } from '../../src/storage/ids.ts'
import type { Sidecar } from '../../src/storage/sidecar.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { databaseFor, keep } from './fixtures/database.ts'

const now = () => new Date('2026-11-22T12:00:00.000Z')
const idAt = (minute: number) => asBlobId(v7({ msecs: Date.UTC(2026, 0, 1, 0, minute) })) ?? newBlobId()
const attachment = (minute: number, ownerId: string, recordId: string) => sidecarFor(ownerId, { id: idAt(minute), ownerId, kind: 'attachment', recordId, filename: 'a', visibility: 'private' })

async function setUp (t: Test, oldHolder: (recordId: string) => string | undefined = () => undefined) {
  const { client } = await databaseFor(t)
  const claims = createClaims({ client, now, oldHolder })
  /** Who of two has the attachment id, whichever comes first and whether they come together. */
  async function winners (one: Sidecar, other: Sidecar): Promise<Set<string>> {
    const winners = new Set<string>()
    for (const [first, second] of [[one, other], [other, one]] as const) {
      const disputes: Dispute[] = []
      const { changes, taking } = await claims.settleRecordIds([first, second], disputes)
      t.equal(changes.size, 1)
      t.equal(taking.length, 0)
      for (const { id } of [first, second]) if (!changes.has(id)) winners.add(id)
      await keep(client, first)
      const later = await claims.settleRecordIds([second], disputes)
      if (later.taking.length > 0) await client.$transaction(later.taking)
      else t.match(later.changes.get(second.id), { recordId: String })
      winners.add(later.changes.has(second.id) ? first.id : second.id)
      const [row] = await client.attachment.findMany()
      t.equal(row?.id === first.recordId, later.changes.has(second.id), 'it is taken from who had it')
      t.match(disputes, [{ claim: 'attachment id', value: one.recordId }, { claim: 'attachment id', given: later.changes.has(second.id) ? String : row?.id }])
      await client.blob.deleteMany()
    }
    return winners
  }
  return { client, claims, winners }
}

t.test('an attachment id is the one of the upload at whose end it was made', async (t) => {
  const { winners } = await setUp(t)
  const recordId = idAt(10)
  const own = attachment(9, 'bob', recordId)
  t.strictSame(await winners(attachment(1, 'ada', recordId), own), new Set([own.id]), 'not of one from before it')
  t.strictSame(await winners(attachment(11, 'ada', recordId), own), new Set([own.id]), 'nor of one that came later, however soon')
  const near = attachment(11, 'bob', recordId)
  t.strictSame(await winners(attachment(12, 'ada', recordId), near), new Set([near.id]))
})

t.test('of the same owner the later one has it, as an import hands it on', async (t) => {
  const { winners } = await setUp(t)
  const recordId = idAt(10)
  const later = attachment(20, 'ada', recordId)
  t.strictSame(await winners(attachment(9, 'ada', recordId), later), new Set([later.id]))
})

t.test('where the old database can be asked, it decides', async (t) => {
  const recordId = idAt(10)
  const [near, far] = [attachment(9, 'bob', recordId), attachment(1, 'ada', recordId)]
  const { winners } = await setUp(t, () => far.id)
  t.strictSame(await winners(near, far), new Set([far.id]))
})

t.test('an id without a time stays with the first to come', async (t) => {
  const { claims } = await setUp(t)
  const disputes: Dispute[] = []
  const [first, second] = [attachment(1, 'ada', 'odd'), attachment(2, 'bob', 'odd')]
  t.strictSame([...(await claims.settleRecordIds([first, second], disputes)).changes.keys()], [second.id])
})

t.test('the id of a blob stays with the first to come, and the other is named', async (t) => {
  const { claims, client } = await setUp(t)
  const [here, there] = [sidecarFor('x'), sidecarFor('x')]
  await keep(client, here)
  const disputes: Dispute[] = []
  const twin = (id: Sidecar['id']) => sidecarFor('x', { id, kind: 'attachment', recordId: newBlobId(), filename: 'a', visibility: 'private' })
  t.strictSame(await claims.withoutKnown([there, twin(there.id), twin(here.id)], disputes), [there])
  t.strictSame(disputes, [there, here].map(({ id }) => ({ id, kind: 'attachment', claim: 'blob id', value: id, holder: 'avatar' })))
})
