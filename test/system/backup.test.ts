// Backups under load and what is restored of them; both killed at any moment; and disks that are too small for them (promise 7).
import { execFile } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../helper.ts'
import { audit } from './audit.ts'
import { attachmentIn, postAttachment, sha256 } from './client.ts'
import { cli, command, envFor, type Ran } from './command.ts'
import { churningUsers, createChurn, differing, purging, type Upload } from './fixtures/churn.ts'
import { start } from './gateway.ts'
import { tmpfs, until } from './machine.ts'

/** CYCLES=20 npm run test:system -- test/system/backup.test.ts for more. */
const cycles = Number(process.env['CYCLES'] ?? 6)
const longestPauseMs = 2000

/** The longest time in which none of all clients was answered. */
function longestGap (times: readonly number[], from: number, to: number): number {
  const within = [from, ...times.filter((time) => time > from && time < to), to]
  return Math.max(...within.slice(1).map((time, index) => time - (within[index] ?? 0)))
}

const ways = ['full', 'incremental', 'tar', 'incremental with --keep 2'] as const

/** What an operator types: backup - | tar -x. */
const untar = (folder: string, target: string) => promisify(execFile)('sh', ['-c', '"$0" "$1" backup - | tar -x -C "$2"', execPath, cli, target], { cwd: tmpdir(), env: envFor(folder) })

/** Returns the folder to restore from. */
async function backUp (t: Test, folder: string, shared: string, way: typeof ways[number]): Promise<string> {
  if (way === 'tar') {
    const unpacked = await temporaryFolder(t)
    await untar(folder, unpacked)
    return unpacked
  }
  const dir = way === 'full' ? join(await temporaryFolder(t), 'backup') : shared
  const { code, stderr } = await command(folder, ['backup', dir, '--json', ...way.endsWith('2') ? ['--keep', '2'] : []])
  t.equal(code, 0, `the backup ends well ${stderr}`)
  return dir
}

t.test(`backup under load, wipe, restore, verify: ${cycles} times in a row`, { timeout: 1_200_000 }, async (t) => {
  const folder = join(await temporaryFolder(t), 'uploads')
  const shared = join(await temporaryFolder(t), 'backup')
  let gateway = await start(t, folder, purging)
  const pauses: number[] = []

  for (let cycle = 1; cycle <= cycles; cycle += 1) {
    const way = ways[cycle % ways.length] ?? 'full'
    const load = createChurn(gateway)
    await until('uploads are acknowledged', () => load.acknowledgedAt.length > churningUsers * 5)
    const before = load.uploads()
    const startedAt = performance.now()
    const dir = await backUp(t, folder, shared, way)
    pauses.push(longestGap(load.acknowledgedAt, startedAt, performance.now()))
    const after = new Set(load.uploads().map((upload) => upload.sha256))
    // What was deleted or replaced while the backup ran may be in it or not.
    const expected = before.filter((upload) => after.has(upload.sha256))
    await load.stop()
    t.equal((await gateway.stop()).code, 0)
    await rm(folder, { recursive: true })

    const restored = await command(folder, ['restore', dir, '--json'])
    t.equal(restored.code, 0, `cycle ${cycle}, ${way}: restored ${restored.stderr}`)
    t.same(JSON.parse(restored.stdout).verification.findings, [])
    if (cycle % 5 === 0) t.match(await command(folder, ['verify']), { code: 0 }, 'and as a command of its own, verify is clean')
    const { orphans, broken } = audit(folder)
    t.same({ orphans, broken }, { orphans: [], broken: [] })
    gateway = await start(t, folder, purging)
    t.ok(expected.length >= churningUsers)
    t.same(await differing(gateway, expected), [], `all of ${expected.length} are there, byte by byte`)
  }
  // A backup that holds uploads up does so every time; a machine that does something else does it now and then.
  const long = pauses.filter((pause) => pause >= longestPauseMs)
  t.ok(long.length <= cycles / 4, `uploads went on during ${cycles - long.length} of ${cycles} backups`)
  t.comment(`longest pause ${Math.round(Math.max(...pauses))} ms`)
  t.equal((await readdir(join(shared, 'snapshots'))).length <= 4, true, '--keep removes older snapshots')
})

/** A volume with uploads, and the gateway that made them stopped. */
async function filled (t: Test, count: number, bytes: number): Promise<{ folder: string, uploads: Upload[] }> {
  const folder = join(await temporaryFolder(t), 'uploads')
  const gateway = await start(t, folder)
  const uploads = await Promise.all(Array.from({ length: count }, async () => {
    const body = randomBytes(bytes)
    return { user: 'ada', url: attachmentIn(await postAttachment(gateway, 'ada', body)).url, sha256: sha256(body) }
  }))
  await gateway.stop()
  return { folder, uploads }
}

t.test('a backup that is killed at any moment leaves older snapshots whole, and the next one finishes', async (t) => {
  const { folder } = await filled(t, 60, 400_000)
  const dir = join(await temporaryFolder(t), 'backup')
  for (let kill = 0; kill < 8; kill += 1) {
    await command(folder, ['backup', dir], { killAfterMs: 250 + kill * 60 + randomInt(40) })
    const snapshots = await readdir(join(dir, 'snapshots')).catch(() => [])
    if (snapshots.length > 0) t.match(await command(folder, ['verify', dir]), { code: 0 }, 'what is there is whole')
  }
  t.match(await command(folder, ['backup', dir]), { code: 0 })
  t.match(await command(folder, ['verify', dir]), { code: 0 })
  t.same(await readdir(join(dir, 'staging')), [], 'nothing is left of those that were killed')
})

t.test('a restore that is killed at any moment goes on when it is run again', async (t) => {
  const { folder, uploads } = await filled(t, 60, 400_000)
  const dir = join(await temporaryFolder(t), 'backup')
  t.match(await command(folder, ['backup', dir]), { code: 0 })
  for (let round = 0; round < 3; round += 1) {
    await rm(folder, { recursive: true, force: true })
    let last: Pick<Ran, 'code' | 'stderr'> = { code: null, stderr: '' }
    for (let kill = 0; kill < 3; kill += 1) last = await command(folder, ['restore', dir], { killAfterMs: 330 + round * 60 + kill * 110 + randomInt(40) })
    if (last.code === null) last = await command(folder, ['restore', dir])
    t.ok(last.code === 0 || /is not empty/.test(last.stderr), `it was done then or now ${last.stderr}`)
    t.match(await command(folder, ['verify']), { code: 0 })
    const gateway = await start(t, folder)
    t.same(await differing(gateway, uploads), [])
    await gateway.stop()
  }
})

t.test('a restore does not begin on the volume of a gateway that runs, but a drill does', async (t) => {
  const { folder } = await filled(t, 60, 400_000)
  const dir = join(await temporaryFolder(t), 'backup')
  await command(folder, ['backup', dir])
  const gateway = await start(t, folder)
  t.match(await command(folder, ['restore', dir]), { code: 1, stderr: /is not empty/ })
  t.match(await command(folder, ['restore', dir, '--drill']), { code: 0, stdout: /thrown away/ })
  await gateway.stop()
})

t.test('two backups into one folder at once', async (t) => {
  const { folder } = await filled(t, 60, 400_000)
  const dir = join(await temporaryFolder(t), 'backup')
  const ended = await Promise.all([command(folder, ['backup', dir]), command(folder, ['backup', dir])])
  t.ok(ended.every(({ code, stderr }) => code === 0 || /is in use: backup runs there as process \d+/.test(stderr)), 'one of them may be refused, and says why')
  t.match(await command(folder, ['backup', dir]), { code: 0 })
  t.match(await command(folder, ['verify', dir]), { code: 0 })
})

t.test('a disk that is too small for the backup', async (t) => {
  const { folder } = await filled(t, 10, 400_000)
  const dir = join(await tmpfs(t, '12m'), 'backup')
  t.match(await command(folder, ['backup', dir]), { code: 0 })
  const gateway = await start(t, folder)
  for (let count = 0; count < 40; count += 1) await postAttachment(gateway, 'ada', randomBytes(400_000))
  await gateway.stop()
  t.match(await command(folder, ['backup', dir]), { code: 1, stderr: /^The backup folder \S+ is full\. Free some space/ })
  const { findings } = JSON.parse((await command(folder, ['verify', dir, '--json'])).stdout) as { findings: Array<{ problem: string }> }
  t.same(findings.filter(({ problem }) => problem !== 'foreign'), [], 'the older snapshot is as it was; what the failed run copied is of no snapshot')
  t.match(await command(folder, ['backup', '-'], { stdout: '/dev/full' }), { code: 1, stderr: /ENOSPC.*The tar is of no use/ })

  const small = await tmpfs(t, '2m')
  t.match(await command(small, ['restore', dir]), { code: 1, stderr: /is too small/ })
  t.match(await command(folder, ['restore', dir, '--drill']), { code: 0 })
})

t.test('files that the volume has lost are named, and the rest is backed up', async (t) => {
  const { folder } = await filled(t, 5, 1000)
  const dir = join(await temporaryFolder(t), 'backup')
  await rm(join(folder, 'attachments'), { recursive: true })
  const { code, stdout } = await command(folder, ['backup', dir, '--json'])
  t.equal(code, 3)
  t.equal(JSON.parse(stdout).findings.length, 5, 'each missing file is named')
})
