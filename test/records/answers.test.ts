import { test, type Test } from 'tap'
import { createAnswers, type NewAnswer } from '../../src/records/answers.ts'
import { committing } from '../../src/records/commits.ts'
import type { PrismaClient } from '../../src/records/database.ts'
import { createOwners } from '../../src/records/owners.ts'
import { createKeyedHash } from '../../src/storage/keyed-hash.ts'
import { createErasureRecords } from '../../src/users/records.ts'
import { sidecarFor } from '../storage/fixtures/volume.ts'
import { databaseFor, keep } from './fixtures/database.ts'
import { inPrisma } from '../../src/records/statements.ts'

const hash = createKeyedHash('a volume')
const dayMs = 24 * 60 * 60_000

const answer: NewAnswer = { fingerprint: 'f', status: 201, headers: { Location: '/there' }, body: '{"a":1}', ownerIds: ['ada'], epoch: 0 }

async function setUp (t: Test) {
  const { client } = await databaseFor(t)
  const clock = { now: new Date('2026-11-22T10:00:00.000Z') }
  const now = () => clock.now
  const answersOn = (on: PrismaClient) => createAnswers({ client: on, hash, now, owners: createOwners({ client: on, hash }) })
  return { client, clock, answersOn, answers: answersOn(client), erasures: createErasureRecords({ client, now }) }
}

test('an answer is found under its key for a day, whole, and swept afterwards', async (t) => {
  const { clock, answers } = await setUp(t)
  const [key, other] = [answers.keyOf('ada', 'k'), answers.keyOf('bob', 'k')]
  t.not(key, other)
  t.not(answers.keyOf('a', 'b:c'), answers.keyOf('a:b', 'c'))
  await answers.keep(key, answer)
  t.match(await answers.find(key), { fingerprint: 'f', status: 201, headers: { Location: '/there' }, body: '{"a":1}' })
  t.equal(await answers.find(other), undefined)
  clock.now = new Date(clock.now.getTime() + dayMs - 1)
  t.ok(await answers.find(key))
  t.equal(await answers.sweep(), 0)
  clock.now = new Date(clock.now.getTime() + 1)
  t.equal(await answers.find(key), undefined)
  t.equal(await answers.sweep(), 1)
  t.equal(await answers.sweep(), 0)
})

test('there is one answer to a key, until it is too old, swept or not', async (t) => {
  const { client, clock, answers } = await setUp(t)
  await answers.keep('k', answer)
  await t.rejects(answers.keep('k', { ...answer, fingerprint: 'other' }), { code: 'ALREADY_ANSWERED' })
  t.match(await answers.find('k'), { fingerprint: 'f' })
  clock.now = new Date(clock.now.getTime() + dayMs)
  await answers.keep('k', { ...answer, fingerprint: 'other' })
  t.match(await client.answer.findMany(), [{ key: 'k', fingerprint: 'other' }])
})

test('rows come with their answer, or not at all', async (t) => {
  const { client, answers } = await setUp(t)
  const commit = (name: string) => {
    const sidecar = sidecarFor(name)
    const { statements, refuse } = answers.keeping('k', answer)
    return committing(client, [sidecar.id], () => client.$transaction([client.blob.create({ data: { id: sidecar.id, kind: 'avatar', extension: 'png', state: 'live', ownerId: 'ada', contentType: 'image/png', size: 1, sha256: 'x', stateAt: new Date(), createdAt: new Date() } }), ...inPrisma(client, statements())]), refuse)
  }
  await commit('one')
  await t.rejects(commit('two'), { code: 'ALREADY_ANSWERED' })
  t.equal(await client.blob.count(), 1)
  t.equal(await client.answer.count(), 1)
})

test('a commit whose answer was lost finds its own answer, and takes it for nobody else\'s: not with its rows, and not when they cannot be read', async (t) => {
  const { client, answers } = await setUp(t)
  const sidecar = sidecarFor('one')
  const lose = async () => { throw new Error('the connection was lost') }
  await answers.keep('k', answer)
  await keep(client, sidecar)
  const { refuse } = answers.keeping('k', answer)
  await committing(client, [sidecar.id], lose, refuse)
  const blind = { blob: { findMany: lose } } as unknown as PrismaClient
  await t.rejects(committing(blind, [sidecar.id], lose, refuse), { code: 'DATABASE_UNAVAILABLE' }, 'whoever removes a refused upload would remove this one')
})

test('answers are emptied with whom they tell of, those of requests from before the erasure; their keys stay taken', async (t) => {
  const { client, answers, erasures } = await setUp(t)
  await answers.keep('1', answer)
  await answers.keep('2', { ...answer, ownerIds: ['bob', 'ada', 'bob'] })
  await answers.keep('3', { ...answer, ownerIds: ['bob'] })
  const { epoch } = await erasures.begin({ id: 'e', owner: hash('owner', 'ada'), at: new Date().toISOString() })
  await t.rejects(answers.keep('late', answer), { code: 'OWNER_ERASED' }, 'one that comes afterwards of a request from before is not kept')
  await answers.keep('4', { ...answer, epoch })
  await erasures.forgetAnswers(hash('owner', 'ada'), epoch, hash)
  const rows = await client.answer.findMany({ orderBy: { key: 'asc' } })
  t.strictSame(rows.map(({ key, status, headers, body, ownerKeys }) => [key, status, headers, body, ownerKeys === '']), [
    ['1', 410, '{}', '', true], ['2', 410, '{}', '', true],
    ...['3', '4'].map((key) => [key, 201, '{"Location":"/there"}', '{"a":1}', false]),
  ])
  await t.rejects(answers.keep('1', { ...answer, epoch }), { code: 'ALREADY_ANSWERED' })
})

test('who was a reader only is taken out of an answer, which is given again without them', async (t) => {
  const { client, answers, erasures } = await setUp(t)
  const body = (ownerId: string, ...readers: string[]) => JSON.stringify({ attachments: [{ ownerId: 'ada', readers: [] }, { ownerId, readers, contextId: 'eve' }] })
  await answers.keep('reader', { ...answer, body: body('ada', 'bob', 'eve'), ownerIds: ['ada', 'bob', 'eve'] })
  await answers.keep('owner', { ...answer, body: body('eve', 'eve', 'bob'), ownerIds: ['ada', 'bob', 'eve'] })
  await answers.keep('other', { ...answer, body: body('ada', 'bob'), ownerIds: ['ada', 'eve'] })
  // More than there are on a page.
  for (let index = 0; index < 30; index++) await answers.keep(`z${index}`, { ...answer, body: body('ada', 'eve'), ownerIds: ['ada', 'eve'] })
  const { epoch } = await erasures.begin({ id: 'e', owner: hash('owner', 'eve'), at: new Date().toISOString() })
  await erasures.forgetAnswers(hash('owner', 'eve'), epoch, hash)
  t.match(await answers.find('reader'), { status: 201, headers: { Location: '/there' }, body: body('ada', 'bob') })
  for (const key of ['owner', 'other']) t.match(await answers.find(key), { status: 410, body: '' }, key)
  t.equal(await client.answer.count({ where: { ownerKeys: { contains: hash('owner', 'eve') } } }), 0)
  t.equal(await client.answer.count({ where: { body: body('ada') } }), 30)
  await erasures.begin({ id: 'f', owner: hash('owner', 'ada'), at: new Date().toISOString() })
  await erasures.forgetAnswers(hash('owner', 'ada'), epoch + 1, hash)
  t.match(await answers.find('reader'), { status: 410, body: '' }, 'their owner is erased later')
})

test('a database that fails is said to', async (t) => {
  const { client, answersOn } = await setUp(t)
  const failing = new Proxy(client, { get: (target, name) => name === '$transaction' ? async () => { throw new Error('gone') } : Reflect.get(target, name) })
  await t.rejects(answersOn(failing).keep('k', answer), { code: 'DATABASE_UNAVAILABLE' })
})
