import { test, type Test } from 'tap'
import { createMentions } from '../../src/records/mentions.ts'
import { createSettling } from '../../src/records/sidecars.ts'
import { newBlobId, newRecordId } from '../../src/storage/ids.ts'
import { createKeyedHash } from '../../src/storage/keyed-hash.ts'
import { openVolume, publish } from '../storage/fixtures/volume.ts'
import { databaseFor, keep } from './fixtures/database.ts'

const hash = createKeyedHash('a volume of the tests')
const now = () => new Date()

async function setUp (t: Test) {
  const { client } = await databaseFor(t)
  const { store, faults } = await openVolume(t)
  const settling = createSettling({ client, store, now })
  const settled: string[] = []
  const settle = async (id: string) => {
    settled.push(id)
    await settling.settle(id)
  }
  const attach = async (readers: string[], readersEpoch: number) => {
    const sidecar = await publish(store, 'hello', { kind: 'attachment', recordId: newBlobId(), filename: 'a.pdf', visibility: 'private', readers, readersEpoch })
    await keep(client, sidecar)
    await client.attachment.update({ where: { id: sidecar.recordId ?? '' }, data: { readers: readers.join(), readersEpoch } })
    return sidecar
  }
  const readersOf = async ({ recordId }: { recordId: string | null }) => (await client.attachment.findUniqueOrThrow({ where: { id: recordId ?? '' } })).readers
  return { client, store, faults, attach, settled, readersOf, mentions: createMentions({ client, settling: { settle }, hash, now }) }
}

const erased = (epoch: number, ...users: string[]) => new Map(users.map((user) => [hash('owner', user), epoch]))

test('an erasure takes users out of the lists that are older than it, and leaves the others alone', async (t) => {
  const { store, attach, readersOf, settled, mentions } = await setUp(t)
  const [older, newer, same, none] = [await attach(['eve', 'bob', 'kim'], 4), await attach(['eve'], 5), await attach(['kim'], 4), await attach(['evelyn', 'ev'], 0)]
  await mentions.remove(erased(5, 'eve'))
  t.equal(await readersOf(older), 'bob,kim')
  t.match(await store.readSidecar(older), { readers: ['bob', 'kim'], revision: 2 })
  t.equal(await readersOf(newer), 'eve')
  t.equal(await readersOf(same), 'kim')
  t.equal(await readersOf(none), 'evelyn,ev')
  t.strictSame(settled, [older.id], 'the others are not touched')
  await mentions.remove(new Map([...erased(5, 'eve'), ...erased(6, 'bob', 'kim')]))
  t.equal(await readersOf(older), null)
  t.match(await store.readSidecar(older), { readers: { length: 0 }, revision: 3 })
  t.equal(await readersOf(same), null)
  await mentions.remove(new Map())
  t.equal(await readersOf(newer), 'eve')
})

test('a list that is replaced meanwhile is read again; one that is gone is left', async (t) => {
  for (const [meanwhile, left] of [['eve,kim', 'kim'], ['kim', 'kim'], [undefined, undefined]] as const) {
    const { client, attach, store } = await setUp(t)
    const list = await attach(['eve', 'bob'], 0)
    const where = { id: list.recordId ?? '' }
    let isFirst = true
    const raced = client.$extends({
      query: {
        attachment: {
          async findMany ({ args, query }) {
            const page = await query(args)
            if (!args.select?.readers) return page
            if (isFirst && meanwhile !== undefined) await client.attachment.update({ where, data: { readers: meanwhile } })
            else if (isFirst) await client.blob.delete({ where: { id: list.id } })
            isFirst = false
            return page
          },
        },
      },
    })
    const mentions = createMentions({ client: raced as never, settling: createSettling({ client, store, now }), hash, now })
    await mentions.remove(erased(1, 'eve'))
    t.equal((await client.attachment.findUnique({ where }))?.readers, left)
  }
})

test('where the name is known only lists that may have it are read; ids are no patterns', async (t) => {
  const { client, attach, readersOf, settled } = await setUp(t)
  const [named, like, capital] = [await attach(['bob', 'e_e'], 0), await attach(['eve'], 0), await attach(['E_E'], 0)]
  for (let index = 0; index < 110; index++) await attach([`user${index}`], 0)
  const last = await attach(['e_e'], 0)
  const hashed: string[] = []
  const mentions = createMentions({ client, settling: { settle: async (id) => { settled.push(id) } }, hash: (thing, name) => { hashed.push(name); return hash(thing, name) }, now })
  await mentions.remove(erased(1, 'e_e'), 'e_e')
  t.strictSame(await Promise.all([named, like, capital, last].map(readersOf)), ['bob', 'eve', 'E_E', null])
  t.strictSame(settled, [named.id, last.id])
  t.notOk(hashed.some((name) => name.startsWith('user')))
  t.equal(hashed.filter((name) => name === 'e_e').length, 1, 'each name once')
})

test('others have their turn while thousands of names are looked through', async (t) => {
  const { attach, mentions } = await setUp(t)
  const crowd = (list: number) => Array.from({ length: 500 }, (_, index) => `${list}-${index}`.padEnd(128, 'x'))
  for (let list = 0; list < 60; list++) await attach(crowd(list), 0)
  let turns = 0
  let next: NodeJS.Immediate
  const turn = () => {
    turns++
    next = setImmediate(turn)
  }
  turn()
  await mentions.remove(erased(1, 'eve')).finally(() => clearImmediate(next))
  t.ok(turns >= 60, `one for each list at least: ${turns}`)
})

test('a sidecar that cannot be written is told and stays due, and does not keep the other lists', async (t) => {
  const { client, attach, readersOf, faults, mentions } = await setUp(t)
  const lists = [await attach(['eve'], 0), await attach(['eve'], 0)]
  faults.inject({ on: 'rename', nth: 1, errno: 'EIO' })
  await t.rejects(mentions.remove(erased(1, 'eve')), { code: 'STORAGE_UNAVAILABLE' })
  for (const list of lists) t.equal(await readersOf(list), null)
  t.equal(await client.blob.count({ where: { sidecarDueAt: { not: null } } }), 1)
})

test('the links that the erased made to files of others are revoked, and not those that came after', async (t) => {
  const { client, attach, mentions } = await setUp(t)
  const { recordId } = await attach([], 0)
  const at = Date.now()
  const link = async (creatorId: string, createdAt: number) => client.link.create({ data: { id: newRecordId(), attachmentId: recordId ?? '', creatorId, createdAt: new Date(createdAt), expiresAt: new Date(at + 100_000) } })
  const [, after, others] = [await link('eve', at - 1), await link('eve', at + 1), await link('bob', at - 1)]
  await client.erasure.create({ data: { epoch: 1, id: 'an erasure', ownerKey: hash('owner', 'eve'), createdAt: new Date(at) } })
  await mentions.remove(erased(1, 'eve'))
  t.strictSame((await client.link.findMany({ orderBy: { id: 'asc' } })).map(({ id }) => id), [after.id, others.id])
  await client.erasure.deleteMany()
  await mentions.remove(erased(1, 'eve'))
  t.strictSame((await client.link.findMany()).map(({ id }) => id), [others.id], 'where only the ledger knows of it, all that are there')
})
