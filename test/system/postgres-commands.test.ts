// Commands that change much, on PostgreSQL and beside gateways: the older systems move in, purges are killed, backups are taken while files go.
import { randomBytes, randomInt } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../helper.ts'
import { compare, rowsOn } from './audit.ts'
import { attachmentIn, json, get, postAttachment } from './client.ts'
import { command, type Ran } from './command.ts'
import { churningUsers, createChurn, differing, purging } from './fixtures/churn.ts'
import { start, type Gateway } from './gateway.ts'
import { until } from './machine.ts'
import { makeAttachments, makeAvatars, makeSystemR, stateOf, unanswered, type Expected } from './old-systems.ts'
import { postgres } from './postgres.ts'
import { createUploaders, lost, remove } from './uploaders.ts'

const server = await postgres(t)

async function connectedTo (t: Test, url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  t.teardown(() => client.end())
  return client
}

const done = (t: Test, ran: Ran, code = 0): void => { t.equal(ran.code, code, `${ran.stdout}${ran.stderr}`) }

t.test('both older systems move in, killed on the way, beside two gateways', { timeout: 300_000 }, async (t) => {
  const home = await temporaryFolder(t)
  const [folder, oldR, oldM] = [join(home, 'uploads'), join(home, 'r', 'public'), join(home, 'm')]
  await mkdir(join(oldR, 'uploads', 'avatars'), { recursive: true })
  const url = await server.create('moved_in')
  const client = await connectedTo(t, url)
  const settings = { DATABASE_URL: url, ATTACHMENT_MAX_BYTES: String(1024 ** 2) }
  const databaseR = await server.create('system_r')
  const inR = await makeSystemR(await connectedTo(t, databaseR), oldR, 200)
  const inAvatars = await makeAvatars(join(oldM, 'i'), join(home, 'users.ndjson'), 300)
  const inAttachments = await makeAttachments(join(oldM, 'uploads'), join(home, 'index.ndjson'), 300)
  const sources = await Promise.all([oldR, oldM].map(stateOf))
  const imports: Array<[args: string[], wanted: Expected]> = [
    [['system-r', '--database-url', databaseR, '--public-dir', oldR, '--date-column', 'avatar_set_at'], inR],
    [['system-m-avatars', join(oldM, 'i'), '--users', join(home, 'users.ndjson'), '--owner', 'archive'], inAvatars],
    [['system-m-attachments', join(oldM, 'uploads'), '--index', join(home, 'index.ndjson'), '--visibility', 'public'], inAttachments],
  ]
  const importing = async (args: string[], ...more: string[]) => {
    const { stdout, stderr } = await command(folder, ['import', ...args, ...more, '--json'], { settings })
    t.equal(stderr, '')
    return JSON.parse(stdout)
  }
  const [one, other] = [await start(t, folder, settings), await start(t, folder, settings)]

  for (const [args, wanted] of imports) {
    t.match(await importing(args), { isDryRun: true, found: { files: wanted.found }, outcomes: { imported: { files: wanted.found - wanted.refused }, refused: { files: wanted.refused } } }, args[0] ?? '')
  }
  t.strictSame(await rowsOn(client), [], 'a dry run writes nothing')

  for (const [args] of imports) await command(folder, ['import', ...args, '--run'], { settings, killAfterMs: randomInt(1500, 2500) })
  for (const [args, wanted] of imports) {
    const { outcomes } = await importing(args, '--run')
    t.equal(outcomes.imported.files + outcomes.there.files, wanted.found - wanted.refused, args[0] ?? '')
    t.match(outcomes, { refused: { files: wanted.refused }, changed: { files: 0 } })
  }
  const addresses = imports.flatMap(([, wanted]) => [...wanted.addresses])
  for (const gateway of [one, other]) t.strictSame(await unanswered(gateway, addresses), [], 'every file is at its old address')

  const before = await rowsOn(client)
  t.strictSame(compare(folder, before).broken, [])
  for (const [args] of imports) t.match(await importing(args, '--run'), { outcomes: { imported: { files: 0 }, changed: { files: 0 } } }, args[0] ?? '')
  t.equal((await rowsOn(client)).length, before.length, 'nothing is there twice')
  t.strictSame(await Promise.all([oldR, oldM].map(stateOf)), sources, 'nothing at the source was changed')
  for (const gateway of [one, other]) await gateway.stop()
  done(t, await command(folder, ['sweep', '--force'], { settings: { ...settings, SWEEP_GRACE_SECONDS: '0' } }))
  t.strictSame(compare(folder, await rowsOn(client)).orphans, [], 'what the killed imports left is gone')
})

async function fillTrash (gateway: Gateway, user: string, count: number): Promise<string[]> {
  const one = async () => {
    const { id } = attachmentIn(await postAttachment(gateway, user, randomBytes(2000)))
    await remove(gateway, `/api/attachments/${id}`, user)
    return id
  }
  const ids: string[] = []
  for (let at = 0; at < count; at += 10) ids.push(...await Promise.all(Array.from({ length: 10 }, one)))
  return ids
}

t.test('a purge of the trash that is killed beside uploads harms no live file, and run again it finishes; what is restored is whole', { timeout: 300_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const settings = { DATABASE_URL: await server.create('purged') }
  const client = await connectedTo(t, settings.DATABASE_URL)
  const [gateway, other] = [await start(t, folder, settings), await start(t, folder, settings)]
  const uploaders = createUploaders({ maxSize: 64 * 1024 })
  let isOver = false
  const uploading = uploaders.upload(gateway, 3, () => isOver)
  const left = async () => Number((await client.query('SELECT count(*) FROM "Blob" WHERE "ownerId" = \'trash-user\'')).rows[0].count)
  const purge = ['trash', 'purge', '--owner', 'trash-user', '--yes']

  for (let kill = 0; kill < 4; kill += 1) {
    await fillTrash(other, 'trash-user', 100)
    const all = await left()
    const wanted = randomInt(all)
    let now = all
    const watch = setInterval(() => { left().then((count) => { now = count }, () => {}) }, 10)
    await command(folder, purge, { settings, killWhen: () => now < all - wanted })
    clearInterval(watch)
    t.comment(`${await left()} of ${all} left`)
  }
  const ids = await fillTrash(other, 'other-user', 10)
  done(t, await command(folder, purge, { settings }))
  t.equal(await left(), 0)
  done(t, await command(folder, ['trash', 'restore', ids[0] ?? ''], { settings }))
  t.equal(json(await get(gateway, '/api/attachments', 'other-user')).attachments[0].id, ids[0])

  await until('uploads are acknowledged', () => uploaders.acknowledged.length > 50)
  t.strictSame(await lost(other, [...uploaders.acknowledged]), [])
  isOver = true
  for (const one of [gateway, other]) t.equal((await one.stop()).code, 0)
  await uploading
  const { orphans, broken } = compare(folder, await rowsOn(client))
  t.strictSame([orphans, broken], [[], []])
})

const cycles = 3

t.test(`backup while files are deleted, replaced and purged, wipe, restore to another PostgreSQL, verify: ${cycles} times`, { timeout: 600_000 }, async (t) => {
  const folder = join(await temporaryFolder(t), 'uploads')
  const dir = join(await temporaryFolder(t), 'backup')
  let settings = { ...purging, DATABASE_URL: await server.create('churned') }
  for (let cycle = 1; cycle <= cycles; cycle += 1) {
    const [leading, gateway] = [await start(t, folder, settings), await start(t, folder, settings)]
    const churn = createChurn(gateway)
    await until('uploads are acknowledged', () => churn.acknowledgedAt.length > churningUsers * 5)
    const before = churn.uploads()
    const ran = await command(folder, ['backup', dir, '--json'], { settings })
    done(t, ran)
    const { files, goneFiles, findings } = JSON.parse(ran.stdout)
    t.comment(`${files} files, ${goneFiles} purged meanwhile`)
    t.strictSame(findings, [], 'no row is without its file')
    const after = new Set(churn.uploads().map((upload) => upload.sha256))
    const expected = before.filter((upload) => after.has(upload.sha256))
    await churn.stop()
    for (const one of [gateway, leading]) await one.stop()
    done(t, await command(folder, ['verify', dir], { settings }))
    await rm(folder, { recursive: true })

    settings = { ...purging, DATABASE_URL: await server.create(`churned_${cycle}`) }
    const restored = await command(folder, ['restore', dir, '--json'], { settings })
    done(t, restored)
    t.strictSame(JSON.parse(restored.stdout).verification.findings, [])
    const { orphans, broken } = compare(folder, await rowsOn(await connectedTo(t, settings.DATABASE_URL)))
    t.strictSame({ orphans, broken }, { orphans: [], broken: [] })
    const back = await start(t, folder, settings)
    t.ok(expected.length >= churningUsers)
    t.strictSame(await differing(back, expected), [], `all of ${expected.length} are there, byte by byte`)
    await back.stop()
  }
})
