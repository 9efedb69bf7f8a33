// Purges and sweeps killed at random points, beside a gateway that takes uploads all the while (I5, I7, I10, promise 5).
import { randomBytes, randomInt } from 'node:crypto'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t from 'tap'
import { createDurable } from '../../src/storage/volume/durable.ts'
import { fileSystem } from '../../src/storage/fs.ts'
import { openStaging } from '../../src/storage/volume/staging.ts'
import { createVolume } from '../../src/storage/volume/volume.ts'
import { temporaryFolder } from '../helper.ts'
import { publish } from '../storage/fixtures/volume.ts'
import { audit, publishedFiles } from './audit.ts'
import { attachmentIn, postAttachment } from './client.ts'
import { command } from './command.ts'
import { start, type Gateway } from './gateway.ts'
import { until } from './machine.ts'
import { createUploaders, lost, remove } from './uploaders.ts'

const purgeKills = 6
const sweepKills = 4

/** Uploads `count` files of the user and deletes them. */
async function fillTrash (gateway: Gateway, user: string, count: number): Promise<void> {
  const one = async () => {
    const { id } = attachmentIn(await postAttachment(gateway, user, randomBytes(2000)))
    await remove(gateway, `/api/attachments/${id}`, user)
  }
  for (let at = 0; at < count; at += 10) await Promise.all(Array.from({ length: 10 }, one))
}

function query (folder: string, sql: string): unknown {
  const connection = new BetterSqlite3(join(folder, 'database', 'gateway.sqlite'))
  connection.pragma('busy_timeout = 5000')
  try {
    return /^SELECT/.test(sql) ? connection.prepare(sql).pluck().get() : connection.exec(sql)
  } finally {
    connection.close()
  }
}

const found = new Map<string, string[]>()

/** Somewhere in the middle of its work: when so many rows are purging, or so many of those are gone again. */
function midway (folder: string, owner: string): () => boolean {
  const connection = new BetterSqlite3(join(folder, 'database', 'gateway.sqlite'), { readonly: true })
  const count = connection.prepare(`SELECT COUNT(*) AS "all", COUNT(CASE WHEN "state" = 'purging' THEN 1 END) AS "purging" FROM "Blob" WHERE "ownerId" = '${owner}'`)
  const first = (count.get() as { all: number }).all
  const [wanted, isRemoving] = [randomInt(first), randomInt(2) === 1]
  return () => {
    if (!connection.open) return true
    const { all, purging } = count.get() as { all: number, purging: number }
    const isReached = isRemoving ? all < first - wanted : purging > wanted
    if (isReached) {
      connection.close()
      found.set(owner, [...found.get(owner) ?? [], `${all} left, ${purging} of them purging`])
    }
    return isReached
  }
}

/** When some files without a row are gone. */
function fewer (folder: string): () => boolean {
  const wanted = publishedFiles(folder).length - 1 - randomInt(40)
  return () => publishedFiles(folder).length <= wanted
}

const halves = (owner: string) => `killed ${found.get(owner)?.length ?? 0} times, of 60 or more: ${found.get(owner)?.join('; ')}`

const trashCount = (folder: string) => Number(query(folder, 'SELECT COUNT(*) FROM Blob WHERE state IN (\'deleted\', \'superseded\', \'purging\')'))

/** Blobs and sidecars that no row will ever own. */
async function leaveOrphans (folder: string, count: number): Promise<void> {
  const durable = createDurable({ fs: fileSystem, onSyncFailure: () => {} })
  const staging = await openStaging({ fs: fileSystem, durable, root: folder, monotonicMs: () => 0 })
  const space = { measure: async () => ({ freeBytes: 1, reserveBytes: 0 }), reserve: async () => ({ consume () {}, release () {} }), check: async () => {}, onFull () {} }
  const store = createVolume({ fs: fileSystem, durable, space, root: folder, staging })
  for (let n = 0; n < count; n += 1) await publish(store, `orphan ${n}`)
  await staging.close()
}

t.test(`trash purge and sweep, killed ${purgeKills + sweepKills} times beside uploads, harm no live file, and run again they finish`, { timeout: 300_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder)
  const uploaders = createUploaders({ maxSize: 64 * 1024 })
  const uploading = uploaders.upload(gateway, 3, () => stopping)
  let stopping = false

  for (let kill = 0; kill < purgeKills; kill += 1) {
    await fillTrash(gateway, 'trash-user', 60)
    const { code } = await command(folder, ['trash', 'purge', '--owner', 'trash-user', '--yes'], { killWhen: midway(folder, 'trash-user') })
    t.ok(code === null || code === 0, `it ended with ${code}`)
  }
  t.comment(halves('trash-user'))
  t.match(await command(folder, ['trash', 'purge', '--owner', 'trash-user', '--yes']), { code: 0, stderr: '' })
  t.equal(query(folder, 'SELECT COUNT(*) FROM Blob WHERE ownerId = \'trash-user\' OR state = \'purging\''), 0, 'nothing is left half-way')

  for (let kill = 0; kill < sweepKills; kill += 1) {
    await fillTrash(gateway, 'sweep-user', 60)
    query(folder, 'UPDATE Blob SET stateAt = \'2020-01-01T00:00:00.000+00:00\' WHERE ownerId = \'sweep-user\' AND state = \'deleted\'')
    const { code } = await command(folder, ['sweep', '--force'], { killWhen: midway(folder, 'sweep-user') })
    t.ok(code === null || code === 0, `it ended with ${code}`)
  }
  t.comment(halves('sweep-user'))
  t.match(await command(folder, ['sweep', '--force']), { code: 0 })
  t.equal(query(folder, 'SELECT COUNT(*) FROM Blob WHERE ownerId = \'sweep-user\' OR state = \'purging\''), 0)
  await until('uploads are acknowledged', () => uploaders.acknowledged.length > 100)

  const acknowledged = [...uploaders.acknowledged]
  t.same(await lost(gateway, acknowledged), [], `all of ${acknowledged.length} acknowledged meanwhile are there, byte by byte`)
  stopping = true
  t.equal((await gateway.stop()).code, 0)
  await uploading
  const { orphans, broken } = audit(folder)
  t.same(broken, [], 'every row has its blob and sidecar')
  t.same(orphans, [], 'no purge left a file without its row')
  t.ok(trashCount(folder) > 0, 'replaced pictures of other users were left alone')
})

t.test('orphans of crashes go with sweep --force once the gateway is gone, also when it is killed; the rest stays', { timeout: 120_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  let gateway = await start(t, folder)
  const uploaders = createUploaders({ maxSize: 16 * 1024 })
  const uploading = uploaders.upload(gateway, 3)
  await until('uploads are acknowledged', () => uploaders.acknowledged.length > 60)
  t.equal((await gateway.kill()).signal, 'SIGKILL')
  await uploading
  await leaveOrphans(folder, 150)
  const settings = { SWEEP_GRACE_SECONDS: '0' }
  t.match(await command(folder, ['sweep'], { settings }), { code: 1, stderr: /without a record/ }, 'so many are refused')
  t.ok(audit(folder, { isHashed: false }).orphans.length >= 300)
  for (let kill = 0; kill < 4; kill += 1) await command(folder, ['sweep', '--force'], { settings, killWhen: fewer(folder) })
  t.match(await command(folder, ['sweep', '--force'], { settings }), { code: 0 })
  const { orphans, broken } = audit(folder)
  t.same([orphans, broken], [[], []])
  t.ok(publishedFiles(folder).length >= 120)
  gateway = await start(t, folder)
  t.same(await lost(gateway, uploaders.acknowledged), [])
})
