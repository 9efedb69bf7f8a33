import t from 'tap'
import { createAdoption, toRows, unfitness } from '../../src/records/adopt.ts'
import { toSidecar, withRecord } from '../../src/records/sidecars.ts'
import type { Sidecar } from '../../src/storage/sidecar.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { databaseFor, keep } from './fixtures/database.ts'

const now = () => new Date('2026-11-22T12:00:00.000Z')
const at = (minute: number) => `2026-11-21T10:${String(minute).padStart(2, '0')}:00.000Z`
const attachment = (others: Partial<Sidecar> = {}) => sidecarFor('x', { kind: 'attachment', recordId: '0192a1b2-0000-7000-8000-000000000001', filename: 'a.pdf', visibility: 'private', extension: 'pdf', ...others })

async function setUp (t: Parameters<typeof databaseFor>[0]) {
  const database = await databaseFor(t)
  const { client } = database
  const row = async (id: string) => toSidecar(await client.blob.findUniqueOrThrow({ where: { id }, include: withRecord }))
  const current = async (userId = 'ada') => (await client.avatar.findUnique({ where: { userId } }))?.blobId
  return { ...database, row, current, ...createAdoption({ client, now }) }
}

t.test('the rows of a sidecar say again what it says', async (t) => {
  const { adopt, row, client } = await setUp(t)
  const all = [
    attachment({ aliases: ['/uploads/a.pdf', '/uploads/b.pdf'], readers: ['bob', 'kim:7'], readersEpoch: 2, contextType: 'message', contextId: '7', alt: 'a plan', epoch: 3, source: 'system-m:/uploads/a.pdf', sourceSha256: 'ab', revision: 4 }),
    attachment({ recordId: '0192a1b2-0000-7000-8000-000000000002', state: 'deleted', stateAt: at(9), revision: 2 }),
    sidecarFor('x', { ownerId: null, creatorId: null, state: 'pending', aliases: ['/i/p/1.png'] }),
    sidecarFor('x', { state: 'superseded', ownerId: 'bob' }),
  ]
  for (const sidecar of all) {
    t.strictSame(await adopt(sidecar), { outcome: 'adopted', isCurrentAvatar: false, isAmended: false })
    t.strictSame(await row(sidecar.id), sidecar)
  }
  t.equal(await client.blob.count({ where: { sidecarDueAt: { not: null } } }), 0)
  t.equal(await client.avatar.count(), 0)
  t.strictSame((await client.attachment.findMany({ orderBy: { id: 'asc' } })).map(({ deletedAt }) => deletedAt?.toISOString()), [undefined, at(9)])
})

t.test('a blob that has a row is left alone, also when that was swept', async (t) => {
  const { adopt, client } = await setUp(t)
  const sidecar = attachment()
  await adopt(sidecar)
  t.strictSame(await adopt({ ...sidecar, filename: 'other.pdf' }), { outcome: 'there' })
  t.equal((await client.attachment.findMany())[0]?.filename, 'a.pdf')
})

t.test('a live avatar becomes the current one, and retires an older one', async (t) => {
  const { adopt, row, current } = await setUp(t)
  const [old, fresh] = [sidecarFor('x', { stateAt: at(1) }), sidecarFor('y', { stateAt: at(2) })]
  t.match(await adopt(old), { isCurrentAvatar: true, isAmended: false })
  t.equal(await current(), old.id)
  t.match(await adopt(fresh), { isCurrentAvatar: true, isAmended: false })
  t.equal(await current(), fresh.id)
  t.match(await row(old.id), { state: 'superseded', stateAt: at(2), revision: 2 })
})

t.test('a live avatar whose owner has a newer one, or removed theirs since, becomes a replaced one', async (t) => {
  const { adopt, row, current, client } = await setUp(t)
  const [late, newer] = [sidecarFor('x', { stateAt: at(1) }), sidecarFor('y', { stateAt: at(2) })]
  await adopt(newer)
  t.match(await adopt(late), { outcome: 'adopted', isCurrentAvatar: false, isAmended: true })
  t.equal(await current(), newer.id)
  t.match(await row(late.id), { state: 'superseded', stateAt: at(2), revision: 2 })

  await keep(client, sidecarFor('z', { ownerId: 'bob', state: 'deleted', stateAt: at(5) }))
  const before = sidecarFor('x', { ownerId: 'bob', stateAt: at(4) })
  t.match(await adopt(before), { isCurrentAvatar: false, isAmended: true })
  t.match(await row(before.id), { state: 'superseded', stateAt: at(5) }, 'not later than the removal, which hides it')
  t.ok((await client.blob.findUniqueOrThrow({ where: { id: before.id } })).sidecarDueAt)
  const after = sidecarFor('x', { ownerId: 'bob', stateAt: at(6) })
  t.match(await adopt(after), { isCurrentAvatar: true })
})

t.test('old URLs and record ids that others have by now stay with them', async (t) => {
  const { adopt, row, client } = await setUp(t)
  const first = attachment({ aliases: ['/uploads/a.pdf'] })
  const second = attachment({ aliases: ['/uploads/a.pdf', '/uploads/b.pdf'] })
  await adopt(first)
  t.match(await adopt(second), { isAmended: true })
  t.strictSame(await row(first.id), first)
  const changed = await row(second.id)
  t.strictSame(changed.aliases, ['/uploads/b.pdf'])
  t.not(changed.recordId, second.recordId)
  t.equal(changed.revision, 2)
  t.equal(await client.attachment.count(), 2)
})

t.test('what enters in the same transaction can refuse it', async (t) => {
  const { client } = await databaseFor(t)
  const entered: unknown[] = []
  const { adopt } = createAdoption({
    client,
    now,
    entering: (ownerId, epoch) => {
      entered.push([ownerId, epoch])
      return ownerId === 'ada' ? client.$executeRaw`INSERT INTO nowhere VALUES (1)` : client.owner.create({ data: { key: ownerId } })
    },
  })
  await t.rejects(adopt(attachment({ epoch: 2 })), { code: 'DATABASE_UNAVAILABLE' })
  t.equal(await client.blob.count(), 0)
  await adopt(attachment({ ownerId: 'bob' }))
  await adopt(sidecarFor('x', { ownerId: null, state: 'pending' }))
  t.strictSame(entered, [['ada', 2], ['bob', 0]])
  t.equal(await client.blob.count(), 2)
})

t.test('of two that adopt avatars of one user at once, the newer is current', async (t) => {
  const { adopt, row, current, client } = await setUp(t)
  const all = Array.from({ length: 8 }, (_, index) => sidecarFor('x', { stateAt: at(index) }))
  await Promise.all(all.toReversed().map(adopt))
  t.equal(await current(), all.at(-1)?.id)
  t.strictSame((await Promise.all(all.map(({ id }) => row(id)))).map(({ state }) => state), [...Array<string>(7).fill('superseded'), 'live'])
  t.equal(await client.avatar.count(), 1)
})

t.test('a sidecar of which no rows can be made says why', async (t) => {
  const wrong: Array<[Partial<Sidecar>, RegExp]> = [
    [{ extension: '../x' }, /extension/], [{ stateAt: 'yesterday' }, /time/], [{ createdAt: '' }, /time/], [{ ownerId: null }, /owner/],
    [{ recordId: null }, /does not name/], [{ filename: null }, /does not name/], [{ visibility: 'secret' }, /visibility/], [{ visibility: null }, /visibility/], [{ readers: ['bob', 'a,b'] }, /as a reader/],
    [{ state: 'superseded' }, /cannot be superseded/], [{ state: 'pending', ownerId: null }, /does not name/],
  ]
  for (const [change, reason] of wrong) t.match(unfitness(attachment(change)), reason)
  t.equal(unfitness(attachment()), undefined)
  t.equal(unfitness(sidecarFor('x')), undefined)
  t.equal(unfitness(sidecarFor('x', { state: 'pending', ownerId: null })), undefined)
})

t.test('an old URL that a sidecar names twice is one', async (t) => {
  t.equal(toRows(sidecarFor('x', { aliases: ['/i/a', '/i/a'] }), null).aliases.length, 1)
})

t.test('what no gateway wrote is not believed', (t) => {
  const wrong: Array<[Partial<Sidecar>, RegExp]> = [
    [{ ownerId: '' }, /can be no user/], [{ ownerId: 'a\0' }, /can be no user/], [{ ownerId: 'me' }, /can be no user/],
    [{ createdAt: '1' }, /a time in it is none/], [{ stateAt: '2026-11-21' }, /a time in it is none/], [{ stateAt: '+012026-01-01T00:00:00.000Z' }, /a time in it is none/],
    [{ epoch: 1_500_000_001 }, /counts higher/], [{ revision: 1_500_000_001 }, /counts higher/], [{ readersEpoch: 1_500_000_001 }, /counts higher/], [{ recordId: 'r' }, /an avatar and names an attachment/],
  ]
  for (const [change, why] of wrong) t.match(unfitness(sidecarFor('x', change)), why, JSON.stringify(change))
  t.equal(unfitness(sidecarFor('x', { epoch: 2 ** 30, revision: 7 })), undefined)
  t.end()
})
