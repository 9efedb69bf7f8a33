// The database thrown away and made anew from the volume: with real processes, under load, and killed in the middle (promise 2).
import { randomInt } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { multipart, picture, temporaryFolder } from '../helper.ts'
import { audit } from './audit.ts'
import { attachmentIn, call, get, json, postAttachment, putAvatar, type Answer } from './client.ts'
import { command } from './command.ts'
import { bearer, start, startRefused, type Gateway } from './gateway.ts'
import { pause, tar, until } from './machine.ts'
import { createUploaders, lost, remove } from './uploaders.ts'

const users = ['ada', 'bob', 'eve', 'kim']

/** Avatars replaced, removed and gone back to, old URLs, attachments changed and deleted. Returns the addresses to look at. */
async function use (gateway: Gateway): Promise<string[]> {
  const addresses = ['/api/avatars/me/versions', '/api/attachments', ...users.flatMap((user) => [`/api/avatars/${user}`, `/api/auth/avatar/${user}`, `/api/api/auth/avatar/${user}`])]
  for (const user of users.slice(0, 3)) {
    for (let seed = 0; seed < 3; seed += 1) addresses.push(json(await putAvatar(gateway, user, await picture('jpeg', { seed }))).versionedUrl)
  }
  await remove(gateway, '/api/avatars/me', 'bob')
  const { versions } = json(await get(gateway, '/api/avatars/me/versions', 'eve'))
  await call(gateway, `/api/avatars/me/versions/${versions[2].version}/restore`, { method: 'POST', headers: await bearer('eve') })
  for (const seed of [7, 8]) {
    const { payload, headers } = await multipart([['file', { bytes: await picture('png', { seed }), filename: 'me.png', type: 'image/png' }]])
    addresses.push(json(await call(gateway, '/api/upload/avatar', { method: 'POST', headers: { ...headers, ...await bearer('kim') }, body: payload })).data.path)
  }
  for (const index of [0, 1, 2]) {
    const { id, url } = attachmentIn(await postAttachment(gateway, 'ada', Buffer.from(`file ${index}`)))
    addresses.push(url, `/api/attachments/${id}`)
    if (index === 1) await call(gateway, `/api/attachments/${id}`, { method: 'PATCH', headers: { ...await bearer('ada'), 'content-type': 'application/json' }, body: Buffer.from('{"filename":"ä.txt","visibility":"public","alt":"text"}') })
    if (index === 2) await remove(gateway, `/api/attachments/${id}`, 'ada')
  }
  return addresses
}

const shown = ({ status, headers, body }: Answer) => ({
  status, etag: headers.etag, type: headers['content-type'], modified: headers['last-modified'], disposition: headers['content-disposition'],
  body: status < 400 ? body.toString('base64') : json({ status, headers, body }).code,
})

async function answers (gateway: Gateway, addresses: readonly string[]) {
  const all = []
  for (const user of users) for (const address of addresses) all.push({ user, address, ...shown(await get(gateway, address, user)) })
  return all
}

const databaseFiles = (folder: string) => readdirSync(join(folder, 'database')).filter((name) => name.startsWith('gateway.sqlite')).sort()

function loseDatabase (folder: string): void {
  for (const name of databaseFiles(folder)) rmSync(join(folder, 'database', name))
}

async function rebuilt (t: Test, folder: string) {
  const { code, stdout, stderr } = await command(folder, ['rebuild', '--json'], { settings: { ACCOUNTS: 'off' } })
  t.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

t.test('with the database deleted, a gateway refuses; after a rebuild every answer is what it was', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await start(t, folder)
  const addresses = await use(first)
  const before = await answers(first, addresses)
  t.ok(before.filter(({ status }) => status === 200).length > 60)
  t.ok(before.filter(({ status }) => status === 404).length > 10)
  await first.stop()
  loseDatabase(folder)

  t.match(await startRefused(folder), { code: 1, stderr: /the database is new.*upload-gateway rebuild/ })
  const report = await rebuilt(t, folder)
  t.match(report, { findings: { length: 0 }, totals: { currentAvatars: 3, oldUrls: 2 } })
  t.strictSame(databaseFiles(folder), ['gateway.sqlite'])
  const second = await start(t, folder)
  t.strictSame(await answers(second, addresses), before)

  // What was brought back is as good as what was there: it can be replaced, gone back to and deleted.
  t.equal((await putAvatar(second, 'ada', await picture('jpeg', { seed: 9 }))).status, 200)
  t.equal((await remove(second, '/api/avatars/me', 'eve')).status, 204)
  t.equal((await get(second, '/api/avatars/eve', 'eve')).status, 404)
  t.match(await command(folder, ['verify']), { code: 0, stdout: /Clean/ })
})

t.test('beside a gateway nothing is rebuilt; beside a rebuild no gateway starts', async (t) => {
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder)
  await use(gateway)
  t.match(await command(folder, ['rebuild']), { code: 1, stderr: new RegExp(`gateway runs on it as process ${gateway.pid}, and rebuild must be alone`) })
  t.equal((await get(gateway, '/health/ready', 'ada')).status, 200)
  await gateway.stop()

  // A rebuild that takes its time: somebody elsewhere may live, and is watched first.
  const elsewhere = join(folder, 'staging', '0192a1b2-0000-4000-8000-000000000001')
  mkdirSync(elsewhere, { recursive: true })
  writeFileSync(join(elsewhere, 'heartbeat.json'), JSON.stringify({ pid: 1, world: 'another', startedAt: '1', beat: 1 }))
  const running = command(folder, ['rebuild', '--json'])
  await until('the rebuild has its heartbeat', () => readdirSync(join(folder, 'staging')).length === 2)
  await pause(300)
  t.match(await startRefused(folder), { code: 1, stderr: /rebuild runs on it as process \d+, and rebuild must be alone/ })
  t.match(await command(folder, ['verify']), { code: 1, stderr: /rebuild must be alone/ })
  rmSync(elsewhere, { recursive: true })
  t.match(await running, { code: 0, stderr: /another container or on another host.*90 s/s })
  t.equal((await get(await start(t, folder), '/api/avatars/ada', 'ada')).status, 200)
})

t.test('killed at any point and run again, it ends with the same answers', { timeout: 300_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const first = await start(t, folder)
  const addresses = await use(first)
  for (let index = 0; index < 300; index += 1) await postAttachment(first, 'kim', Buffer.from(`file ${index}`))
  const before = await answers(first, addresses)
  await first.stop()
  const from = performance.now()
  await rebuilt(t, folder)
  const wholeMs = performance.now() - from
  let killed = 0
  for (let cycle = 0; cycle < 12; cycle += 1) {
    if (cycle % 3 === 0) loseDatabase(folder)
    const { code } = await command(folder, ['rebuild'], { killAfterMs: wholeMs / 3 + randomInt(Math.ceil(wholeMs * 0.7)) })
    if (code === null) killed += 1
    t.ok(hasAllOrNone(folder), 'there is a whole database, or none')
  }
  t.comment(`${killed} of 12 were killed`)
  const report = await rebuilt(t, folder)
  t.match(report, { findings: { length: 0 } })
  t.strictSame(databaseFiles(folder), ['gateway.sqlite'], 'nothing is left of those that were killed')
  t.strictSame(await answers(await start(t, folder), addresses), before)
})

/** After a kill there is a database with everything, or none: never a part. */
const hasAllOrNone = (folder: string): boolean => !databaseFiles(folder).includes('gateway.sqlite') || audit(folder, { isHashed: false }).rows.length === 314

t.test('a plain tar of the volume, made while uploads go on, has every upload acknowledged before it', { timeout: 300_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder)
  const uploaders = createUploaders({ maxSize: 256 * 1024 })
  const uploading = uploaders.upload(gateway, 6)
  const copies = []
  for (let round = 1; round <= 3; round += 1) {
    const enough = uploaders.acknowledged.length + 60
    await until('uploads are acknowledged', () => uploaders.acknowledged.length > enough)
    const acknowledged = uploaders.acknowledged.slice()
    const copy = await temporaryFolder(t)
    await tar(folder, copy)
    copies.push({ copy, acknowledged, later: uploaders.acknowledged.length - acknowledged.length })
  }
  // A copy on the machine of the original would wait for its gateway, whose heartbeat it holds.
  await gateway.kill()
  await uploading

  for (const { copy, acknowledged, later } of copies) {
    const { code, stdout, stderr } = await command(copy, ['rebuild', '--json'])
    t.ok(code === 0 || code === 3, stderr)
    const { findings } = JSON.parse(stdout)
    // Only files of uploads that were under way may be without the other half.
    t.strictSame(findings.filter(({ problem }: { problem: string }) => !['blob-undescribed', 'sidecar-alone'].includes(problem)), [])
    const restored = await start(t, copy)
    t.strictSame(await lost(restored, acknowledged), [], `all of ${acknowledged.length} are there, byte by byte, while ${later} more came`)
    await restored.stop()
    const verified = await command(copy, ['verify', '--json'])
    t.strictSame(JSON.parse(verified.stdout).findings.filter(({ id }: { id: string }) => !findings.some((known: { id: string }) => known.id === id)), [], 'verify finds nothing that the rebuild had not named')
    t.comment(`${acknowledged.length} acknowledged before, ${later} meanwhile, ${findings.length} halves of others`)
  }
})
