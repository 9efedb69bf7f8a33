import { spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { silent } from '../../src/operations/progress.ts'
import { sweep, type SweepReport } from '../../src/operations/sweep.ts'
import { atWork } from '../../src/operations/workplace.ts'
import { newBlobId, timeOf } from '../../src/storage/ids.ts'
import { ownHeartbeat } from '../../src/storage/volume/instance.ts'
import { publish } from '../storage/fixtures/volume.ts'
import { usedGateway } from './fixtures/used-gateway.ts'

const day = 86_400_000

async function setUp (t: Test, settings: Record<string, string> = {}) {
  const used = await usedGateway(t, settings)
  const { client } = used.app.database
  /** In the trash since so many days. */
  async function trashed (user: string, days: number, bytes = 'hello'): Promise<string> {
    const { id } = await used.post(user, bytes)
    await used.drop(user, id)
    await client.blob.updateMany({ where: { attachment: { id } }, data: { stateAt: new Date(Date.now() - days * day) } })
    return id
  }
  const orphan = () => publish(used.app.storage.store, 'hello', { id: newBlobId() })
  const run = (options: Partial<Parameters<typeof sweep>[2]> = {}, now?: () => Date) =>
    atWork(used.config, { work: 'sweep', ...(now !== undefined && { now }) }, (place) => sweep(place, used.config, { progress: silent, ...options }))
  const step = ({ due }: SweepReport, name: string) => due.find((one) => one.step === name)
  return { ...used, client, trashed, old: used.trashed, orphan, run, step }
}

test('a dry run lists what each step would remove, with the reason, and removes nothing', async (t) => {
  const { app, folder, files, client, trashed, orphan, run, step } = await setUp(t, { TRASH_MAX_BYTES_PER_OWNER: '6' })
  await trashed('ada', 31)
  await trashed('bob', 2, 'hello')
  await trashed('bob', 1, 'hello')
  const { id, extension } = await orphan()
  await publish(app.storage.store, 'hi').then(({ id: pending }) => client.blob.create({ data: { id: pending, kind: 'avatar', extension: 'png', state: 'pending', contentType: 'image/png', size: 2n, sha256: 'x', stateAt: new Date(0), createdAt: new Date(0) } }))
  await mkdir(join(folder, 'staging', '0a1b2c3d-0000-4000-8000-000000000000'))
  await writeFile(join(folder, 'staging', '0a1b2c3d-0000-4000-8000-000000000000', 'heartbeat.json'), JSON.stringify({ ...ownHeartbeat(), startedAt: '1' }))
  await app.close()
  const before = [await files(), spawnSync('ls', ['-lR', folder]).stdout.length]
  const report = await run({ isDryRun: true }, () => new Date(Date.now() + 2 * day))
  t.match(report, { isDryRun: true, wouldStop: null, wouldHoldOnly: null, removed: null, failures: { length: 0 }, deadStaging: ['0a1b2c3d-0000-4000-8000-000000000000'] })
  t.match(step(report, 'pending'), { count: 1, bytes: 2, blobs: [{ reason: 'claimed by nobody since 1970-01-01T00:00:00.000Z' }] })
  t.match(step(report, 'trash'), { count: 1, bytes: 5, blobs: [{ path: /^attachments\/\d{4}\/\d\d\/\d\d\/.*\.txt$/, bytes: 5, reason: /^deleted since / }] })
  t.match(step(report, 'quota'), { count: 1, bytes: 5, blobs: [{ reason: /deleted since .* the trash of bob is over its limit/ }] })
  t.match(step(report, 'orphans'), { count: 1, bytes: 5, leftToGateway: 0, blobs: [{ id, path: new RegExp(`avatars/.*${id}.${extension}`), reason: `no record owns it; it was made at ${timeOf(id).toISOString()}` }] })
  t.strictSame([await files(), spawnSync('ls', ['-lR', folder]).stdout.length], before)
})

test('a run removes what is due, and says how much', async (t) => {
  const { app, files, trashed, orphan, run, post } = await setUp(t, { TRASH_MAX_BYTES_PER_OWNER: '6' })
  await post('ada')
  await trashed('ada', 31)
  await trashed('bob', 2)
  await trashed('bob', 1)
  await orphan()
  await app.close()
  const told: string[] = []
  const report = await run({ progress: { ...silent, step: (name) => { told.push(name) } } }, () => new Date(Date.now() + 2 * day))
  t.match(report, { removed: { trash: 1, quota: 1, orphans: 1, pending: 0 }, failures: { length: 0 } })
  t.match(told, ['Looking through the volume'])
  t.equal((await files()).filter((path) => path.startsWith('a')).length, 4)
  t.match(await run(), { removed: { trash: 0, quota: 0, orphans: 0 } }, 'again there is nothing to do')
})

test('files without a record are left to a gateway that runs, and so are those too young', async (t) => {
  const { app, orphan, run, step, files } = await setUp(t)
  await orphan()
  const later = () => new Date(Date.now() + 2 * day)
  const beside = await run({}, later)
  t.match(step(beside, 'orphans'), { count: 0, blobs: { length: 0 }, leftToGateway: 1 })
  t.match(beside.removed, { orphans: 0 })
  await app.close()
  t.match(step(await run(), 'orphans'), { count: 0, leftToGateway: 0 }, 'within SWEEP_GRACE_SECONDS')
  t.equal((await files()).filter((path) => path.startsWith('avatars')).length, 2)
  t.match((await run({}, later)).removed, { orphans: 1 })
  t.strictSame((await files()).filter((path) => path.startsWith('avatars')), [])
})

test('who may or may not live on another host is watched, and that is said', async (t) => {
  const { app, folder, orphan, config } = await setUp(t)
  await orphan()
  await app.close()
  await mkdir(join(folder, 'staging', '0a1b2c3d-0000-4000-8000-000000000000'))
  await writeFile(join(folder, 'staging', '0a1b2c3d-0000-4000-8000-000000000000', 'heartbeat.json'), JSON.stringify({ ...ownHeartbeat(), world: 'elsewhere' }))
  const said: string[] = []
  const report = await atWork(config, { work: 'sweep', now: () => new Date(Date.now() + 2 * day) }, (place) => {
    const { staging } = place.storage
    const living: typeof staging.living = async ({ onWait } = {}) => {
      onWait?.([])
      return [{ name: 'x', pid: 1, work: 'gateway', isExclusive: false }]
    }
    return sweep({ ...place, storage: { ...place.storage, staging: { ...staging, living } } }, config, { progress: { ...silent, say: (message) => { said.push(message) } } })
  })
  t.match(report.due.at(-1), { leftToGateway: 1 })
  t.match(said, [/watching it for up to 90 seconds/])
})

test('too much at once is refused where nobody can be asked, and asked where somebody can be: nothing at all is changed before', async (t) => {
  const { run, files, client, old } = await setUp(t)
  await old(101)
  const before = await files()
  t.match(await run({ isDryRun: true }), { wouldStop: /A sweep would remove 101 blobs of 101/, wouldHoldOnly: null })
  await t.rejects(run(), { name: 'Refusal', message: /would remove 101 blobs of 101 \(101 deleted or replaced\): more than 5 %.*"upload-gateway sweep --force" removes them\.$/ })
  const said: string[] = []
  const progress = { ...silent, say: (message: string) => { said.push(message) } }
  await t.rejects(run({ progress, ask: async () => false }), { name: 'Refusal', message: 'Nothing was removed.' })
  t.match(said, [/would remove 101 blobs/])
  t.strictSame(await files(), before)
  t.equal(await client.blob.count({ where: { state: 'deleted' } }), 101)

  t.match(await run({ progress, ask: async (question) => question === 'Remove them now?' }), { removed: { trash: 101 }, wouldStop: /101 blobs/ })
  t.equal(await client.blob.count(), 0)
  await old(101)
  t.match(await run({ isForced: true, ask: () => t.fail('there is nothing to ask') as never }), { removed: { trash: 101 }, failures: { length: 0 } })
})

test('too much trash of one owner holds up its own part only, unless somebody says that it is meant', async (t) => {
  const { run, trashed, old, client, config } = await setUp(t, { TRASH_MAX_BYTES_PER_OWNER: '6' })
  await old(102)
  await client.blob.updateMany({ data: { stateAt: new Date() } })
  await trashed('bob', 31)
  t.match(await run({ isDryRun: true }), { wouldStop: /^A sweep would remove 101 blobs of 103 \(101 over their owner's limit for trash\).*whatever else is due does/, wouldHoldOnly: 'quota' })
  t.match(await run(), { removed: { trash: 1, quota: 0 }, failures: [/^A sweep would remove 101 blobs of 103/] }, 'also where nobody can be asked')

  await trashed('bob', 31)
  const progress = { ...silent, say: () => {} }
  t.match(await run({ progress, ask: async () => false }), { removed: { trash: 1, quota: 0 }, failures: [/would remove 101/] })
  const failing = () => atWork(config, { work: 'sweep' }, (place) => sweep({ ...place, settling: { ...place.settling, settleDue: () => Promise.reject(new Error('no way')) } }, config, { progress: silent }))
  t.match(await failing(), { failures: [/would remove 101/, 'no way'] })
  t.match(await run({ progress, ask: async () => true }), { removed: { quota: 101 }, failures: { length: 0 }, wouldHoldOnly: 'quota' })
  t.equal(await client.blob.count(), 1)
})

test('what failed is told, each with its reason, beside what was done', async (t) => {
  const { app, config, trashed, client } = await setUp(t)
  const [stuck] = [await trashed('ada', 31), await trashed('ada', 31)]
  const { blobId } = await client.attachment.findUniqueOrThrow({ where: { id: stuck } })
  await app.close()
  const run = () => atWork(config, { work: 'sweep' }, (place) => sweep(place, config, { progress: silent }))
  const report = await atWork(config, { work: 'sweep' }, (place) => {
    const { store } = place.storage
    const remove: typeof store.remove = (address) => address.id === blobId ? Promise.reject(new Error('no way')) : store.remove(address)
    return sweep({ ...place, storage: { ...place.storage, store: { ...store, remove } } }, config, { progress: silent })
  })
  t.match(report.failures, ['no way'])
  t.match(await run(), { removed: { pending: 1 }, failures: { length: 0 } }, 'and is finished the next time')
})
