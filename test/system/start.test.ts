// Volumes that must not be started on: refused with exit code 1 and one sentence that names the folder and says what to do (promise 3).
import { cp, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../helper.ts'
import { attachmentIn, get, postAttachment } from './client.ts'
import { start, startRefused, type Settings } from './gateway.ts'
import { disk, mount, needs, run, tmpfs } from './machine.ts'

const bytes = Buffer.from('some bytes')

async function assertRefused (t: Test, folder: string, settings: Settings, sentence: RegExp): Promise<void> {
  const { code, stderr } = await startRefused(folder, settings)
  t.equal(code, 1)
  t.match(stderr, sentence)
  t.ok(stderr.includes(folder), 'the folder is named')
  t.equal(stderr.trimEnd().split('\n').length, 1, `one line: ${stderr}`)
}

/** A database of its own, and the volume that belongs to it, with one upload. */
async function used (t: Test) {
  const home = await temporaryFolder(t)
  const folder = join(home, 'uploads')
  const settings = { DATABASE_URL: `file:${join(home, 'gateway.sqlite')}` }
  const gateway = await start(t, folder, settings)
  const { url } = attachmentIn(await postAttachment(gateway, 'ada', bytes))
  await gateway.stop()
  return { home, folder, settings, url }
}

t.test('an empty volume under a database that knows files', async (t) => {
  const { home, folder, settings, url } = await used(t)
  await rename(folder, join(home, 'elsewhere'))
  await assertRefused(t, folder, settings, /database knows files\. Mount the volume [0-9a-f-]{36} there/)
  await rm(folder, { recursive: true, force: true })
  await rename(join(home, 'elsewhere'), folder)
  const gateway = await start(t, folder, settings)
  t.equal((await get(gateway, url, 'ada')).body.toString(), bytes.toString(), 'with the right one it starts')
})

t.test('the volume of another database', async (t) => {
  const [one, other] = [await used(t), await used(t)]
  await assertRefused(t, one.folder, other.settings, /is another volume: it is [0-9a-f-]{36}, the database belongs to [0-9a-f-]{36}\. Mount that one/)
})

t.test('a volume that holds uploads under a new database', async (t) => {
  const { home, folder } = await used(t)
  await assertRefused(t, folder, { DATABASE_URL: `file:${join(home, 'new.sqlite')}` }, /holds uploads, but the database is new.*upload-gateway rebuild.*upload-gateway restore/)
})

t.test('a volume whose identity is gone', async (t) => {
  const { folder, settings } = await used(t)
  await rm(join(folder, 'upload-gateway.json'))
  await assertRefused(t, folder, settings, /has no upload-gateway\.json/)
})

t.test('a read-only volume', async (t) => {
  await needs('mount', 'umount', 'mkfs.ext4')
  const { folder } = await disk(t, 'ext4', { megabytes: 64 })
  const gateway = await start(t, folder)
  await gateway.stop()
  await run('mount', '-o', 'remount,ro', folder)
  await assertRefused(t, folder, {}, /cannot be written\. Mount a writable volume there/)
  await run('mount', '-o', 'remount,rw', folder)
  await (await start(t, folder)).stop()
})

t.test('a folder that cannot be made', async (t) => {
  await needs('mount', 'umount')
  const parent = await tmpfs(t, '1m')
  await run('mount', '-o', 'remount,ro', parent)
  await assertRefused(t, join(parent, 'uploads'), {}, /cannot be written\. Mount a writable volume there/)
})

t.test('REQUIRE_MOUNT=true', async (t) => {
  await needs('mount', 'umount')
  const required = { REQUIRE_MOUNT: 'true' }
  const ordinary = await temporaryFolder(t)
  await assertRefused(t, ordinary, required, /is not a mount of its own.*Mount a volume there/)
  const below = join(await tmpfs(t, '64m'), 'below')
  await mkdir(below)
  await assertRefused(t, below, required, /is not a mount of its own/)

  t.equal((await (await start(t, await tmpfs(t, '64m'), required)).stop()).code, 0, 'a tmpfs is one')
  const home = await temporaryFolder(t)
  await mkdir(join(home, 'volume'))
  const bound = await mount(t, join(home, 'bound with spaces'), '--bind', join(home, 'volume'))
  t.equal((await (await start(t, bound, required)).stop()).code, 0, 'a bind mount of the same file system is one')
})

t.test('a copy of the volume with its database is the volume', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await start(t, folder)
  const { url } = attachmentIn(await postAttachment(first, 'ada', bytes))
  await first.stop()
  const copy = join(await temporaryFolder(t), 'copy')
  await cp(folder, copy, { recursive: true })
  t.equal((await get(await start(t, copy), url, 'ada')).body.toString(), bytes.toString())
})
