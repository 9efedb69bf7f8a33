// Disks that fail, fill up or turn read-only under a running gateway: a clear answer, nothing half kept, and no restart needed afterwards.
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { rm, truncate, writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { basename, join } from 'node:path'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../helper.ts'
import { audit, publishedFiles, staging } from './audit.ts'
import { attachmentIn, call, get, json, postAttachment, sha256, type Answer } from './client.ts'
import { bearer, start, startRefused, type Gateway } from './gateway.ts'
import { disk, mount, needs, pause, run, tmpfs, until } from './machine.ts'
import { inject, oneWorker, type Thread } from './strace.ts'
import { remove } from './uploaders.ts'

/** An answer of /health/ready serves everyone who asks within a second. */
const freshMs = 1100
const bytes = randomBytes(500_000)
const codeOf = (answer: Answer): string => `${answer.status} ${answer.status < 300 ? 'kept' : json(answer).code}`
const ready = async (gateway: Gateway): Promise<number> => (await call(gateway, '/health/ready')).status

/** Nothing of a failed upload is there, and what was kept before is. */
async function assertOnly (t: Test, gateway: Gateway, kept: readonly string[]): Promise<void> {
  const list = json(await get(gateway, '/api/attachments?limit=200', 'ada')).attachments
  t.same(list.map(({ url }: { url: string }) => url).sort(), [...kept].sort(), 'only what was acknowledged is listed')
  for (const url of kept) t.equal(sha256((await get(gateway, url, 'ada')).body), sha256(bytes), 'reads go on')
  t.same(staging(gateway.folder).flatMap(({ files }) => files), [], 'nothing is left in staging')
}

const upload = (gateway: Gateway) => postAttachment(gateway, 'ada', bytes)

/** Uploads until there is no room. Returns where the kept ones are. @throws when it ends with another answer than 507 */
async function fill (gateway: Gateway): Promise<string[]> {
  const kept: string[] = []
  while (true) {
    const answer = await upload(gateway)
    if (codeOf(answer) === '507 STORAGE_FULL') return kept
    kept.push(attachmentIn(answer).url)
  }
}

t.test('a call that fails once', async (t) => {
  await needs('strace')
  const faults: Array<{ thread: Thread, rule: string, answer: string, isReady: boolean }> = [
    { thread: 'pool', rule: 'fsync:error=EIO:when=1', answer: '503 STORAGE_UNAVAILABLE', isReady: false },
    { thread: 'pool', rule: 'fsync:error=EIO:when=2', answer: '503 STORAGE_UNAVAILABLE', isReady: false },
    { thread: 'pool', rule: 'fsync:error=EIO:when=3', answer: '503 STORAGE_UNAVAILABLE', isReady: false },
    { thread: 'pool', rule: 'fsync:error=ENOSPC:when=1', answer: '507 STORAGE_FULL', isReady: true },
    { thread: 'pool', rule: 'rename:error=EIO:when=1', answer: '503 STORAGE_UNAVAILABLE', isReady: true },
    { thread: 'pool', rule: 'rename:error=EIO:when=2', answer: '503 STORAGE_UNAVAILABLE', isReady: true },
    { thread: 'pool', rule: 'rename:error=ENOSPC:when=2', answer: '507 STORAGE_FULL', isReady: true },
    { thread: 'pool', rule: 'pwrite64:error=ENOSPC:when=1', answer: '507 STORAGE_FULL', isReady: true },
    { thread: 'pool', rule: 'pwrite64:error=ENOSPC:when=2', answer: '507 STORAGE_FULL', isReady: true },
    { thread: 'pool', rule: 'pwrite64:error=EIO:when=1', answer: '503 STORAGE_UNAVAILABLE', isReady: true },
    { thread: 'main', rule: 'pwrite64:error=ENOSPC:when=4', answer: '507 STORAGE_FULL', isReady: true },
    { thread: 'main', rule: 'pwrite64:error=EIO:when=4', answer: '503 DATABASE_UNAVAILABLE', isReady: true },
    { thread: 'main', rule: 'fsync:error=EIO:when=1', answer: '503 DATABASE_UNAVAILABLE', isReady: true },
  ]
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder, { ...oneWorker, SWEEP_INTERVAL_SECONDS: '1', SWEEP_GRACE_SECONDS: '0' })
  const kept = [attachmentIn(await upload(gateway)).url]

  for (const { thread, rule, answer, isReady } of faults) {
    await t.test(`${rule} of ${thread}`, async (t) => {
      const detach = await inject(t, gateway, thread, rule)
      const files = publishedFiles(folder).length
      t.equal(codeOf(await upload(gateway)), answer)
      if (thread === 'pool') t.equal(publishedFiles(folder).length, files, 'nothing new is under a final name')
      await detach()
      await assertOnly(t, gateway, kept)
      if (!isReady) await assertThreeProbes(t, gateway)
      else t.equal(await ready(gateway), 200, 'readiness is not touched')
      kept.push(attachmentIn(await upload(gateway)).url)
      await assertOnly(t, gateway, kept)
    })
  }
  await until('the sweep has taken what unknown commits left', () => audit(folder).orphans.length === 0)
  t.same(audit(folder).broken, [])
})

async function assertThreeProbes (t: Test, gateway: Gateway): Promise<void> {
  const answers: number[] = []
  while (answers.at(-1) !== 200 && answers.length < 6) {
    // The answer before the failure may still be fresh.
    await pause(freshMs)
    answers.push(await ready(gateway))
  }
  t.same(answers, [503, 503, 200], 'ready again with the third good probe')
}

t.test('a call that fails for longer', async (t) => {
  await needs('strace')
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder, oneWorker)
  const kept = [attachmentIn(await upload(gateway)).url]
  const detach = await inject(t, gateway, 'pool', 'fsync:error=EIO')
  t.equal(codeOf(await upload(gateway)), '503 STORAGE_UNAVAILABLE')
  t.equal(codeOf(await upload(gateway)), '503 STORAGE_UNAVAILABLE')
  t.equal(await ready(gateway), 503)
  t.equal((await call(gateway, '/health/live')).status, 200)
  await assertOnly(t, gateway, kept)
  await detach()
  await assertThreeProbes(t, gateway)
  kept.push(attachmentIn(await upload(gateway)).url)
  await assertOnly(t, gateway, kept)
})

t.test('a delete whose sidecar cannot be written is answered with an error, and finished when asked again', async (t) => {
  await needs('strace')
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder, oneWorker)
  const { id, url } = attachmentIn(await upload(gateway))
  const detach = await inject(t, gateway, 'pool', 'rename:error=EIO:when=1')
  t.equal(codeOf(await remove(gateway, `/api/attachments/${id}`, 'ada')), '503 STORAGE_UNAVAILABLE')
  await detach()
  t.equal((await get(gateway, url, 'ada')).status, 404)
  t.equal((await remove(gateway, `/api/attachments/${id}`, 'ada')).status, 204)
  const { rows, broken } = audit(folder)
  t.match(rows, [{ state: 'deleted', sidecarDueAt: null }])
  t.same(broken, [])
})

t.test('a small file system that uploads fill', async (t) => {
  await needs('mount', 'umount', 'curl')
  const folder = await tmpfs(t, '64m')
  const gateway = await start(t, folder, { DISK_RESERVE: '' })
  const kept = [attachmentIn(await upload(gateway)).url]

  const file = join(await temporaryFolder(t), 'large')
  await writeFile(file, '')
  await truncate(file, 80 * 1024 ** 2)
  const { authorization } = await bearer('ada')
  const curl = (...args: string[]) => run('curl', '--silent', '--show-error', '--output', '/dev/null', '--max-time', '20',
    '--write-out', '%{http_code} %{size_upload}', '--header', `Authorization: ${authorization}`, ...args, `${gateway.url}/api/attachments`)
  for (const how of [['--request', 'POST', '--upload-file', file], ['--form', `file=@${file}`]]) {
    t.equal(await curl(...how), '507 0', `curl ${how[0]}: no byte is asked for`)
    const [status, sent] = (await curl('--header', 'Expect:', ...how)).split(' ')
    t.equal(status, '507')
    t.ok(Number(sent) < 16 * 1024 ** 2, `refused after ${sent} bytes`)
  }
  await assertOnly(t, gateway, kept)

  kept.push(...await fill(gateway))
  t.match((await upload(gateway)).headers, { 'retry-after': /^\d+$/ })
  const undeclared = await call(gateway, '/api/attachments', { method: 'POST', headers: await bearer('ada'), body: Readable.from([Buffer.alloc(2 * 1024 ** 2), Buffer.alloc(8 * 1024 ** 2)]) })
  t.equal(codeOf(undeclared), '507 STORAGE_FULL', 'also when the size was not declared')
  t.equal(await ready(gateway), 200, 'a full disk is no fault of the volume')
  const gone = kept.pop() ?? ''
  t.equal((await remove(gateway, gone.replace('/content', ''), 'ada')).status, 204, 'deletes go on')
  await assertOnly(t, gateway, kept)

  await run('mount', '-o', 'remount,size=128m', folder)
  kept.push(attachmentIn(await upload(gateway)).url)
  await assertOnly(t, gateway, kept)
  t.same(audit(folder).broken, [])
})

t.test('a file system that others fill to the last byte', async (t) => {
  await needs('mount', 'umount')
  const folder = await tmpfs(t, '64m')
  const gateway = await start(t, folder)
  const kept = [attachmentIn(await upload(gateway)).url]
  const ballast = join(folder, 'ballast')
  await writeFile(ballast, Buffer.alloc(80 * 1024 ** 2)).catch(() => {})

  t.equal(codeOf(await upload(gateway)), '507 STORAGE_FULL')
  t.equal(await ready(gateway), 200)
  await assertOnly(t, gateway, kept)
  await rm(ballast)
  kept.push(attachmentIn(await upload(gateway)).url)
  await assertOnly(t, gateway, kept)

  await writeFile(ballast, Buffer.alloc(80 * 1024 ** 2)).catch(() => {})
  await gateway.kill()
  const next = await start(t, folder)
  await assertOnly(t, next, kept)
  t.equal(codeOf(await upload(next)), '507 STORAGE_FULL', 'it starts on a full disk too')
  await rm(ballast)
  kept.push(attachmentIn(await upload(next)).url)
  await assertOnly(t, next, kept)
  t.same(audit(folder).broken, [])
})

for (const foreign of [0, 1]) {
  t.test(`a file system whose inodes uploads fill, beside ${foreign} foreign files`, async (t) => {
    await needs('mount', 'umount', 'mkfs.ext4')
    const { folder } = await disk(t, 'ext4', { megabytes: 64, mkfs: ['-N', '64'] })
    if (foreign === 1) await writeFile(join(folder, 'foreign'), '')
    const gateway = await start(t, folder)
    const kept = await fill(gateway)
    t.ok(kept.length > 0, `after ${kept.length} uploads`)
    t.equal(await ready(gateway), 200)
    await assertOnly(t, gateway, kept)
    const gone = kept.pop() ?? ''
    t.equal((await remove(gateway, gone.replace('/content', ''), 'ada')).status, 204, 'deletes go on')
    await assertOnly(t, gateway, kept)
    t.same(audit(folder).orphans, [])
    t.same(audit(folder).broken, [])
    await gateway.kill()
    await assertOnly(t, await start(t, folder), kept)
  })
}

t.test('a file system whose inodes others fill', async (t) => {
  await needs('mount', 'umount', 'mkfs.ext4')
  const { folder } = await disk(t, 'ext4', { megabytes: 64, mkfs: ['-N', '64'] })
  const gateway = await start(t, folder)
  const kept = [attachmentIn(await upload(gateway)).url]
  const ballast: string[] = []
  while (await writeFile(join(folder, `${ballast.length}`), '').then(() => true, () => false)) ballast.push(join(folder, `${ballast.length}`))

  t.equal(codeOf(await upload(gateway)), '507 STORAGE_FULL')
  t.equal(await ready(gateway), 200)
  await assertOnly(t, gateway, kept)
  const other = await startRefused(folder)
  t.equal(other.code, 1)
  t.equal(other.stderr, `UPLOADS_DIR ${folder} is full: not even a small file for the start fits. Free some space or inodes on it.\n`)

  for (const path of ballast) await rm(path)
  kept.push(attachmentIn(await upload(gateway)).url)
  await assertOnly(t, gateway, kept)
})

t.test('a volume that is remounted read-only', async (t) => {
  await needs('mount', 'umount', 'mkfs.ext4')
  const { folder } = await disk(t, 'ext4')
  // The kernel does not remount a file system on which the database is open for writing.
  const database = join(await temporaryFolder(t), 'gateway.sqlite')
  const gateway = await start(t, folder, { DATABASE_URL: `file:${database}` })
  const kept = [attachmentIn(await upload(gateway)).url]

  await run('mount', '-o', 'remount,ro', folder)
  t.equal(codeOf(await upload(gateway)), '503 STORAGE_UNAVAILABLE')
  t.equal(await ready(gateway), 503)
  await assertOnly(t, gateway, kept)
  await run('mount', '-o', 'remount,rw', folder)
  kept.push(attachmentIn(await upload(gateway)).url)
  await pause(freshMs)
  t.equal(await ready(gateway), 200)
  await assertOnly(t, gateway, kept)
  t.same(audit(folder, { database }).broken, [])
})

t.test('a file system that turns itself read-only after an error, with the database on it', async (t) => {
  await needs('mount', 'umount', 'mkfs.ext4')
  const { folder, image } = await disk(t, 'ext4', { options: 'errors=remount-ro' })
  const gateway = await start(t, folder)
  const kept = [attachmentIn(await upload(gateway)).url]

  const device = readFileSync('/proc/mounts', 'utf8').split('\n').find((line) => line.includes(folder))?.split(' ')[0] ?? ''
  await writeFile(`/sys/fs/ext4/${basename(device)}/trigger_fs_error`, 'a test')
  t.equal((await upload(gateway)).status, 503)
  await pause(freshMs)
  t.equal(await ready(gateway), 503)
  for (let times = 0; times < 20; times += 1) t.equal((await get(gateway, kept[0] ?? '', 'ada')).status, 200, 'reads go on')
  t.ok(gateway.isRunning())

  await gateway.kill()
  await run('umount', folder)
  await mount(t, folder, '-o', 'loop', image)
  const next = await start(t, folder)
  await assertOnly(t, next, kept)
  kept.push(attachmentIn(await upload(next)).url)
  await assertOnly(t, next, kept)
})

t.test('no more open files', async (t) => {
  await needs('prlimit')
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder)
  const kept = [attachmentIn(await upload(gateway)).url]
  const limit = (files: number) => run('prlimit', '--pid', String(gateway.pid), `--nofile=${files}:`)
  /** So that just this many more can be opened. */
  const allow = async (more: number) => {
    const taken = new Set(readdirSync(`/proc/${gateway.pid}/fd`).map(Number))
    let files = 0
    for (let free = 0; free < more || taken.has(files); files += 1) if (!taken.has(files)) free += 1
    await limit(files)
  }
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  t.equal((await call(gateway, '/health/live', { agent })).status, 200)

  await allow(0)
  t.equal(codeOf(await postAttachment(gateway, 'ada', bytes, { agent })), '503 STORAGE_UNAVAILABLE')
  t.equal((await call(gateway, kept[0] ?? '', { agent, headers: await bearer('ada') })).status, 503)
  t.equal((await call(gateway, '/health/ready', { agent })).status, 503)
  t.equal((await call(gateway, '/health/live', { agent })).status, 200)
  await limit(4096)
  await pause(freshMs)
  t.equal(await ready(gateway), 200)

  await allow(12)
  const answers = await Promise.allSettled(Array.from({ length: 40 }, () => upload(gateway)))
  await limit(4096)
  const outcomes = answers.map((result) => result.status === 'fulfilled' ? codeOf(result.value) : 'connection lost')
  t.same(outcomes.filter((outcome) => !['201 kept', '503 STORAGE_UNAVAILABLE', 'connection lost'].includes(outcome)), [])
  t.comment(`of 40 at once: ${outcomes.filter((outcome) => outcome === '201 kept').length} kept, ${outcomes.filter((outcome) => outcome.startsWith('503')).length} answered with 503`)
  for (const result of answers) if (result.status === 'fulfilled' && result.value.status === 201) kept.push(attachmentIn(result.value).url)
  kept.push(attachmentIn(await upload(gateway)).url)
  await assertOnly(t, gateway, kept)
})
