// The older systems move in: dry run, killed on the way, finished, run again, beside a gateway that serves.
import { randomInt } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import t from 'tap'
import { temporaryFolder } from '../helper.ts'
import { audit } from './audit.ts'
import { call, get, json, noise, putAvatar, sha256 } from './client.ts'
import { command } from './command.ts'
import { bearer, start } from './gateway.ts'
import { until } from './machine.ts'
import { makeAttachments, makeAvatars, makeSystemR, pictureOf, stateOf, unanswered, type Expected } from './old-systems.ts'
import { postgres } from './postgres.ts'

const settings = { ATTACHMENT_MAX_BYTES: String(1024 ** 2) }
const own = noise(50_000)

function rowsOf (folder: string): Array<{ source: string, sha256: string, state: string }> {
  const connection = new BetterSqlite3(join(folder, 'database', 'gateway.sqlite'), { readonly: true })
  try {
    return connection.prepare('SELECT source, sha256, state FROM Blob WHERE source IS NOT NULL ORDER BY source, sha256, state').all() as Array<{ source: string, sha256: string, state: string }>
  } finally {
    connection.close()
  }
}

t.test('both older systems move in', { timeout: 600_000 }, async (t) => {
  const home = await temporaryFolder(t)
  const [folder, oldR, oldM] = [join(home, 'uploads'), join(home, 'r', 'public'), join(home, 'm')]
  await mkdir(join(oldR, 'uploads', 'avatars'), { recursive: true })
  const database = await postgres(t)
  const inR = await makeSystemR(database.client, oldR, 2000)
  const inAvatars = await makeAvatars(join(oldM, 'i'), join(home, 'users.ndjson'), 5000)
  const inAttachments = await makeAttachments(join(oldM, 'uploads'), join(home, 'index.ndjson'), 5000)
  const sources = await Promise.all([oldR, oldM].map(stateOf))
  const imports: Array<[args: string[], wanted: Expected]> = [
    [['system-r', '--database-url', database.url, '--public-dir', oldR, '--date-column', 'avatar_set_at'], inR],
    [['system-m-avatars', join(oldM, 'i'), '--users', join(home, 'users.ndjson'), '--owner', 'archive'], inAvatars],
    [['system-m-attachments', join(oldM, 'uploads'), '--index', join(home, 'index.ndjson'), '--visibility', 'public'], inAttachments],
  ]
  const all = new Map(imports.flatMap(([, { addresses }]) => [...addresses]))
  const importing = (args: string[], ...more: string[]) => command(folder, ['import', ...args, ...more, '--json'], { settings })
  const reportOf = ({ stdout, stderr }: { stdout: string, stderr: string }) => { t.equal(stderr, ''); return JSON.parse(stdout) }

  const gateway = await start(t, folder, { ...settings, READ_THROUGH_DIRS: `${oldR},${oldM}`, SWEEP_INTERVAL_SECONDS: '60' })

  await t.test('before the import, old addresses are answered from the old folders', async (t) => {
    const sample = [...all].filter(([path], index) => !path.startsWith('/api/avatars/') && index % 20 === 0 && !/\/(%2E|\.)/.test(path) && !/avatar-\d+6\.jpg$/.test(path))
    t.strictSame(await unanswered(gateway, sample), [])
    for (const path of ['/uploads/link', '/uploads/fifo', '/uploads/loop/2018/0/x', '/uploads/odd/.hidden', '/uploads/avatars/..%2f..%2f..%2fsecret.png']) t.equal((await call(gateway, path)).status, 404, path)
  })

  // They decide here before the import comes: of the one the old address stays, of the other it is gone.
  const [mine, gone] = ['m1', 'm2']
  for (const user of [mine, gone]) await putAvatar(gateway, user, own)
  await call(gateway, '/api/avatars/me', { method: 'DELETE', headers: await bearer(gone) })
  const userAddresses = [...inAvatars.addresses.keys()].filter((path) => [`/api/avatars/${mine}`, `/api/avatars/${gone}`].includes(path) || path.endsWith('_2.jpg'))
  const oldOfMine = [...inAvatars.addresses.keys()].filter((path) => path.endsWith('_1.jpg'))
  t.strictSame([userAddresses.length, oldOfMine.length], [3, 1])
  for (const path of userAddresses) for (const map of [all, inAvatars.addresses]) map.delete(path)

  await t.test('a dry run finds everything and writes nothing', async (t) => {
    for (const [args, wanted] of imports) {
      const ran = await importing(args)
      const { found, outcomes, isDryRun } = reportOf(ran)
      const kept = args[0] === 'system-m-avatars' ? 1 : 0
      t.match({ isDryRun, found, code: ran.code }, { isDryRun: true, found: { files: wanted.found }, code: 3 }, args[0] ?? '')
      t.match(outcomes, { imported: { files: wanted.found - wanted.refused - kept }, refused: { files: wanted.refused }, kept: { files: kept }, there: { files: 0 }, changed: { files: 0 } }, args[0] ?? '')
    }
    t.strictSame(rowsOf(folder), [])
  })

  await t.test('killed on the way again and again, it goes on and ends the same', async (t) => {
    for (const [args] of imports) {
      let kills = 0
      for (let n = 0; n < 3; n += 1) {
        const { signal } = await command(folder, ['import', ...args, '--run'], { settings, killAfterMs: randomInt(1500, 4000) })
        if (signal === 'SIGKILL') kills += 1
      }
      t.ok(kills > 0, `${args[0]} was killed ${kills} times`)
    }
  })

  await t.test('run to the end, the report adds up and every line has its reason', async (t) => {
    for (const [args, wanted] of imports) {
      const startedAt = performance.now()
      const file = join(home, `${args[0]}.ndjson`)
      const report = reportOf(await importing(args, '--run', '--report', file))
      const seconds = (performance.now() - startedAt) / 1000
      const kept = args[0] === 'system-m-avatars' ? 1 : 0
      t.match(report, { isDryRun: false, found: { files: wanted.found }, outcomes: { refused: { files: wanted.refused }, kept: { files: kept } } })
      t.equal(report.outcomes.imported.files + report.outcomes.there.files, wanted.found - wanted.refused - kept)
      const lines = (await readFile(file, 'utf8')).trim().split('\n').map((line) => JSON.parse(line))
      t.equal(lines.length, wanted.found)
      t.strictSame(lines.filter(({ outcome, reason }) => outcome !== 'imported' && !reason), [])
      if (wanted.noted > 0) t.ok(report.withNotes >= wanted.noted)
      t.comment(`${args[0]}: ${report.outcomes.imported.files} of ${wanted.found} files were left to import, ${seconds.toFixed(1)} s, ${Math.round(wanted.found / seconds)} files/s`)
    }
  })

  await t.test('every importable file answers at its old address with the same bytes', async (t) => {
    const startedAt = performance.now()
    t.strictSame(await unanswered(gateway, all), [])
    t.comment(`${all.size} addresses read in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
    t.equal(sha256((await get(gateway, `/api/avatars/${mine}`, mine)).body), sha256(own))
    t.equal((await get(gateway, `/api/avatars/${gone}`, gone)).status, 404)
    t.match(rowsOf(folder).filter(({ source }) => source.startsWith(`system-m:users/${mine}/`)), [{ state: 'superseded' }], 'it is behind its old address, and no older folder is needed for it')
  })

  await t.test('a second run imports nothing, and nothing is there twice', async (t) => {
    const before = rowsOf(folder)
    t.equal(new Set(before.map(({ source }) => source)).size, before.length)
    for (const [args, wanted] of imports) {
      const startedAt = performance.now()
      const { outcomes } = reportOf(await importing(args, '--run'))
      t.match(outcomes, { imported: { files: 0 }, changed: { files: 0 }, refused: { files: wanted.refused } }, args[0] ?? '')
      t.comment(`${args[0]}: second run ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
    }
    t.strictSame(rowsOf(folder), before)
  })

  await t.test('blobs that a killed import left are swept, and everything else is whole', async (t) => {
    t.comment(`${audit(folder, { isHashed: false }).orphans.length} files without a row`)
    const sweeping = await start(t, folder, { SWEEP_INTERVAL_SECONDS: '2', SWEEP_GRACE_SECONDS: '1', SWEEP_MAX_PERCENT: '100' })
    await until('the sweep has removed them', () => audit(folder, { isHashed: false }).orphans.length === 0, 60_000)
    await sweeping.stop()
    t.strictSame(audit(folder).broken, [])
  })

  await t.test('a deleted file stays deleted, whatever the old folder still has', async (t) => {
    const [path = ''] = [...inAttachments.addresses.keys()].filter((path) => path.startsWith('/uploads/2018/'))
    const owner = 'u' + String(Number(/file%20(\d+)/.exec(path)?.[1]) % 100)
    const listed = json(await get(gateway, '/api/attachments?limit=200', owner)).attachments
    const { id } = listed.find(({ filename }: { filename: string }) => filename === `shown ${/file%20(\d+)/.exec(path)?.[1]}.txt`)
    t.equal((await call(gateway, `/api/attachments/${id}`, { method: 'DELETE', headers: await bearer(owner) })).status, 204)
    t.equal((await call(gateway, path)).status, 404)
    all.delete(path)
  })

  t.strictSame(await Promise.all([oldR, oldM].map(stateOf)), sources, 'nothing at the source was changed')

  await t.test('what changed at the source is imported again', async (t) => {
    const changed = [...inAvatars.addresses.keys()].filter((path) => path.startsWith('/i/') && !oldOfMine.includes(path)).slice(0, 50)
    for (const [n, path] of changed.entries()) {
      await writeFile(join(oldM, decodeURIComponent(path)), pictureOf(500_000 + n))
      all.set(path, sha256(pictureOf(500_000 + n)))
    }
    const [, avatars] = imports
    const { outcomes } = reportOf(await importing(avatars?.[0] ?? [], '--run'))
    t.match(outcomes, { changed: { files: 50 }, imported: { files: 0 } })
    const old = [...all].filter(([path], index) => changed.includes(path) || (path.startsWith('/i/') && index % 10 === 0))
    t.strictSame(await unanswered(gateway, old), [])
    t.strictSame(audit(folder, { isHashed: false }).broken, [])
  })
  t.ok(gateway.isRunning())
})
