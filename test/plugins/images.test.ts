import { existsSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'tap'
import { fileSystem } from '../../src/storage/fs.ts'
import { createFaults } from '../fixtures/faults.ts'
import { filesBelow } from '../fixtures/files.ts'
import { collectLog } from '../fixtures/log.ts'
import { look, pictureClient } from '../fixtures/picture-client.ts'
import { plain } from '../images/made.ts'

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function until (isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!await isTrue()) await later(5)
}

const variantsIn = async (folder: string) => (await filesBelow(join(folder, 'cache'))).filter((path) => /\.(webp|png|jpeg|avif|auto)$/.test(path))

test('what is more than can wait is answered with 503 and when to ask again; the rest is answered at a stop too', async (t) => {
  const { app, put, show } = await pictureClient(t, { IMAGE_PROCESSES: '1' })
  // All of them are to wait for the process, and not for what a store brings one after the other.
  const { store } = app.storage
  const { localFile } = store
  const files = new Map<string, ReturnType<typeof localFile>>()
  store.localFile = async (address) => {
    const file = files.get(address.id) ?? localFile(address)
    files.set(address.id, file)
    return { ...await file, release: async () => {} }
  }
  const sent = await plain(1100, 1100).png().toBuffer()
  const urls: string[] = []
  for (let count = 0; count < 10; count += 1) {
    const { versionedUrl } = (await put(sent)).json()
    for (const format of ['webp', 'png', 'jpeg', 'avif']) urls.push(...[32, 64, 96, 128, 256, 512, 1024].map((size) => `${versionedUrl}?size=${size}&format=${format}`))
  }
  const answers = urls.map((url) => show(url))
  const first = await Promise.any(answers.map(async (answer) => {
    if ((await answer).statusCode === 200) throw new Error('shown')
    return answer
  }))
  t.match(first.json(), { status: 503, code: 'IMAGES_BUSY' })
  t.match(first.headers, { 'retry-after': '1', 'cache-control': 'no-store' })
  await app.close()
  const codes = (await Promise.all(answers)).map((answer) => answer.statusCode === 200 ? 'shown' : answer.json().code)
  t.strictSame([...new Set(codes)].filter((code) => code !== 'shown').sort(), ['IMAGES_BUSY', 'SERVICE_STOPPING'])
  t.ok(codes.filter((code) => code === 'IMAGES_BUSY').length < 60, 'as many wait as may')
})

test('when the volume is full, variants make way for uploads', async (t) => {
  const disk = { isFull: false }
  const statfs = (async (path: string) => {
    // So few files that it is looked at each time.
    const measured = { ...await fileSystem.statfs(path), files: 1000, ffree: 1000 }
    return disk.isFull && (await variantsIn(path.replace(/\/staging.*/, ''))).length > 0 ? { ...measured, bavail: 0 } : measured
  }) as typeof fileSystem.statfs
  const { folder, put, show } = await pictureClient(t, {}, { fs: { ...fileSystem, statfs } })
  const sent = await plain(100, 100).png().toBuffer()
  await put(sent)
  await show('/api/avatars/ada?size=32&format=webp')
  await until(async () => (await variantsIn(folder)).length === 1)
  disk.isFull = true
  t.equal((await put(sent)).statusCode, 200)
  t.strictSame(await variantsIn(folder), [])
  t.equal((await show('/api/avatars/ada?size=32&format=webp')).statusCode, 200, 'they are made again')
})

test('a cache that cannot be kept is told of, and costs nothing but time', async (t) => {
  const faults = createFaults()
  faults.inject({ on: 'mkdir', path: /\/cache/, forever: true, errno: 'EACCES' })
  const log = collectLog()
  const { app, put, show } = await pictureClient(t, { LOG_LEVEL: 'warn' }, { fs: faults.fs, logStream: log.stream })
  await put(await plain(100, 100).png().toBuffer())
  t.match(await look((await show('/api/avatars/ada?size=32&format=webp')).rawPayload), { width: 32 })
  await app.close()
  t.match(log.lines().filter(({ msg }) => msg.includes('cache')), [{ level: 40, msg: 'The picture cache has no folder; pictures are made again and again.', err: { code: 'EACCES' } }, { msg: /^The picture cache cannot be written/ }])
})

test('the cache keeps to its budget, and its folder says that it need not be backed up', async (t) => {
  const { folder, app, put, show } = await pictureClient(t, { CACHE_MAX_BYTES: '0' })
  await until(() => existsSync(join(folder, 'cache', 'CACHEDIR.TAG')))
  await put(await plain(100, 100).png().toBuffer())
  t.equal((await show('/api/avatars/ada?size=32')).statusCode, 200)
  await app.close()
  t.strictSame(await variantsIn(folder), [])
})

test('a gateway ends the processes that it started, also in the middle of their work', async (t) => {
  const { app, put, show } = await pictureClient(t)
  await put(await plain(3000, 3000).png().toBuffer())
  const underWay = [256, 512, 1024].map((size) => show(`/api/avatars/ada?size=${size}&format=avif`))
  await later(50)
  t.ok(process.getActiveResourcesInfo().includes('ProcessWrap'))
  await app.close()
  const processes = process.getActiveResourcesInfo()
  for (const { statusCode } of await Promise.all(underWay)) t.ok(statusCode === 200 || statusCode === 503, String(statusCode))
  t.notOk(processes.includes('ProcessWrap'))
})
