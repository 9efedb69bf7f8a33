// The published client where it is used: in a page of a real browser, which is loaded again in the middle, and in a service that is killed.
import { execFile, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { access, readdir, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { execPath } from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type { ElementHandle, Page } from 'puppeteer-core'
import t, { type Test } from 'tap'
import { picture, temporaryFolder } from '../helper.ts'
import { get, json, sha256 } from './client.ts'
import { chromium } from './fixtures/chromium.ts'
import { proxy } from './fixtures/proxy.ts'
import { site } from './fixtures/site.ts'
import { bearer, start, type Gateway } from './gateway.ts'
import { until } from './machine.ts'

const mebibyte = 1024 ** 2
const chunkBytes = mebibyte
const top = fileURLToPath(new URL('../..', import.meta.url))
const { authorization } = await bearer('ada')

/** The client as it is published, compiled. */
const built = await temporaryFolder(t)
await promisify(execFile)(execPath, [join(top, 'node_modules/typescript/bin/tsc'), '--project', join(top, 'src/client'), '--outDir', built])

const page = `<!doctype html><title>A page that uploads</title><input type="file">
<script type="module">
import { createClient, UploadGatewayError } from '/client.js'
let isFresh = false
const uploads = createClient({
  baseUrl: 'BASE',
  retryDelayMs: 50,
  getToken: ({ isRefused }) => (isFresh ||= isRefused) ? 'TOKEN' : 'an old one',
})
window.upload = (options = {}) => uploads.attachments.upload(document.querySelector('input').files[0], { ...options, onProgress: (progress) => window.told(progress) })
  .catch((error) => ({ name: error.name, isOurs: error instanceof UploadGatewayError, code: error.code, status: error.status, requestId: error.requestId }))
window.setAvatar = () => uploads.avatars.set(document.querySelector('input').files[0], { crop: { x: 0, y: 0, width: 0.5, height: 0.5 } })
window.show = (url) => new Promise((resolve) => {
  const image = new Image()
  image.onload = () => resolve(image.naturalWidth)
  image.onerror = () => resolve(0)
  image.src = url
})
window.uploads = uploads
window.isReady = true
</script>`

type Progress = { readonly sentBytes: number, readonly totalBytes: number }

/** A page with the client, behind a line that can be cut; `told` is its progress so far, over reloads. */
async function scene (t: Test, settings = {}) {
  const scripts = Object.fromEntries(await Promise.all((await readdir(built)).filter((name) => name.endsWith('.js')).map(async (name) => [`/${name}`, await readFile(join(built, name), 'utf8')] as const)))
  const files: Record<string, string> = { ...scripts }
  const pages = await site(t, files)
  const gateway = await start(t, await temporaryFolder(t), { CORS_ORIGINS: pages.on('localhost'), RESUMABLE_CHUNK_BYTES: String(chunkBytes), ...settings })
  const line = await proxy(t, gateway.url)
  files['/'] = page.replace('BASE', line.url.replace('127.0.0.1', 'localhost')).replace('TOKEN', authorization.slice('Bearer '.length))
  const told: Progress[] = []
  const tab = await (await chromium(t)).newPage()
  await tab.exposeFunction('told', (progress: Progress) => { told.push(progress) })
  await tab.goto(pages.on('localhost'))
  return { gateway, line, tab, told }
}

async function choose (tab: Page, path: string): Promise<void> {
  await tab.waitForFunction('window.isReady')
  await (await tab.$('input') as ElementHandle<HTMLInputElement> | null)?.uploadFile(path)
}

async function fileOf (t: Test, bytes: Buffer, name: string): Promise<string> {
  const path = join(await temporaryFolder(t), name)
  await writeFile(path, bytes)
  return path
}

const attachments = async (gateway: Gateway) => json(await get(gateway, '/api/attachments', 'ada')).attachments as Array<{ id: string, url: string, filename: string, sha256: string }>

t.test('a large file from a page that is loaded again in the middle, over a line that is cut', { timeout: 90_000 }, async (t) => {
  const { gateway, line, tab, told } = await scene(t)
  const bytes = randomBytes(24 * mebibyte)
  const path = await fileOf(t, bytes, 'a film.bin')
  const upload = 'upload({ contextType: "message", contextId: "17" })'
  await choose(tab, path)
  const first = tab.evaluate(upload).then(() => 'finished', () => 'ended')
  await until('half of it is sent', () => (told.at(-1)?.sentBytes ?? 0) > bytes.length / 2)
  await tab.reload()
  t.equal(await first, 'ended')
  const before = told.splice(0)

  await choose(tab, path)
  line.cutEvery(3 * mebibyte, 3)
  t.match(await tab.evaluate(upload), { filename: 'a film.bin', contextId: '17' })
  t.equal(line.cuts, 3)
  t.comment(`${before.length} and ${told.length} times progress, ${line.forwardedBytes} bytes sent`)
  for (const progress of [before, told]) t.ok(progress.length > 5 && progress.every(({ sentBytes, totalBytes }) => sentBytes <= totalBytes && totalBytes === bytes.length), 'progress was told')
  t.ok((told[0]?.sentBytes ?? 0) >= (before.at(-1)?.sentBytes ?? 0) - 2 * chunkBytes, `it goes on at ${told[0]?.sentBytes}`)
  t.ok(line.forwardedBytes < bytes.length + 5 * chunkBytes, 'and at most a chunk was sent again for the reload and for each cut')
  t.same((await attachments(gateway)).map((one) => one.sha256), [sha256(bytes)])
})

t.test('small files, lost answers, a picture that is shown, and errors with a code', { timeout: 60_000 }, async (t) => {
  const { gateway, line, tab, told } = await scene(t, { ATTACHMENT_MAX_BYTES: String(8 * mebibyte) })
  const photo = await picture('jpeg', { width: 400, height: 300 })
  await choose(tab, await fileOf(t, photo, 'a photo.jpg'))
  await tab.evaluate('uploads.limits()')
  line.dropAnswers(2)
  const kept = await tab.evaluate('upload()') as { id: string, code?: string }
  t.equal(kept.code, undefined)
  t.equal(line.droppedAnswers, 2)
  t.match(told.at(-1), { sentBytes: photo.length, totalBytes: photo.length })
  t.match(await attachments(gateway), [{ id: kept.id }], 'one, though two answers were lost')

  t.equal(await tab.evaluate(`show(uploads.attachments.url(${JSON.stringify(kept.id)}))`), 0)
  await tab.evaluate('uploads.mediaSession.start()')
  t.equal(await tab.evaluate(`show(uploads.attachments.previewUrl(${JSON.stringify(kept.id)}, { size: 320 }))`), 320, 'the picture shows')
  t.match(await tab.evaluate('setAvatar()'), { userId: 'ada' })
  t.equal(await tab.evaluate('show(uploads.avatars.url("ada", { size: 64 }))'), 64, 'and so does the avatar')

  await choose(tab, await fileOf(t, randomBytes(9 * mebibyte), 'too large.bin'))
  t.match(await tab.evaluate('upload()'), { name: 'UploadGatewayError', isOurs: true, code: 'UPLOAD_TOO_LARGE', status: 413, requestId: /./ })
})

/** The Node that a machine has by itself beside the one that the tests run on, which is the oldest that the client is for. */
async function nodes (): Promise<string[]> {
  const found = [execPath]
  for (const folder of (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'))) {
    const path = join(folder, 'node')
    if (await access(path).then(() => true, () => false)) return [...found, path]
  }
  return found
}

for (const node of await nodes()) {
  t.test(`a service on ${node} that is killed in the middle and run again`, { timeout: 60_000 }, async (t) => {
    const gateway = await start(t, await temporaryFolder(t), { RESUMABLE_CHUNK_BYTES: String(chunkBytes) })
    const line = await proxy(t, gateway.url)
    const bytes = randomBytes(24 * mebibyte)
    const path = await fileOf(t, bytes, 'report.bin')
    const service = await bearer('reports', 'uploads:service')
    const args = [fileURLToPath(new URL('fixtures/client-service.mjs', import.meta.url)), pathToFileURL(join(built, 'client.js')).href, line.url, service.authorization.slice('Bearer '.length), path, randomUUID()]

    /** Until it ends by itself, or has sent so much. */
    async function runTo (sentBytes: number): Promise<Array<{ sentBytes?: number, attachment?: { id: string } }>> {
      const child = spawn(node, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] } })
      const closed = once(child, 'close')
      const said: Array<{ sentBytes?: number, attachment?: { id: string } }> = []
      for await (const text of createInterface(child.stdout)) {
        said.push(JSON.parse(text))
        if ((said.at(-1)?.sentBytes ?? 0) >= sentBytes) child.kill('SIGKILL')
      }
      await closed
      return said
    }

    const first = await runTo(bytes.length / 2)
    t.equal(first.at(-1)?.attachment, undefined, 'it was killed')
    line.cutEvery(2 * mebibyte, 3)
    const second = await runTo(Infinity)
    t.equal(line.cuts, 3)
    t.ok((second[0]?.sentBytes ?? 0) >= bytes.length / 2 - 2 * chunkBytes, `it goes on at ${second[0]?.sentBytes}`)
    t.match(await attachments(gateway), [{ id: second.at(-1)?.attachment?.id, sha256: sha256(bytes), filename: 'report.bin' }], 'one attachment, of the user it is for')
    const third = await runTo(Infinity)
    t.equal(third.at(-1)?.attachment?.id, second.at(-1)?.attachment?.id, 'run once more, it is still that one')
  })
}
