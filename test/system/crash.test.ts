// Killed at each system call that changes the volume, in one upload, one replacement and one delete: I1, I2 and I5 hold every time.
import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../helper.ts'
import { audit, partialFiles, staging } from './audit.ts'
import { attachmentIn, get, json, noise, postAttachment, putAvatar, sha256, type Answer } from './client.ts'
import { start, type Gateway } from './gateway.ts'
import { needs, until } from './machine.ts'
import { essential, inject, killStart, oneWorker, record, recordStart, type Point } from './strace.ts'
import { remove } from './uploaders.ts'

const parallel = 4
const identity = '/upload-gateway.json'
const sweeping = { SWEEP_INTERVAL_SECONDS: '1', SWEEP_GRACE_SECONDS: '0' }

const before = noise(150_000)
const after = noise(250_000)
const untouched = randomBytes(100_000)
const known = new Set([before, after, untouched].map(sha256))

type Operation = {
  readonly name: string
  /** What is there and acknowledged before; returns the path that `run` needs, if any. */
  prepare (gateway: Gateway): Promise<string>
  run (gateway: Gateway, path: string): Promise<Answer>
  /** Whether the gateway shows the state from before, the one after, or neither. */
  state (gateway: Gateway, path: string): Promise<'before' | 'after' | 'neither'>
}

const shown = async (gateway: Gateway, path: string): Promise<string> => {
  const { status, body } = await get(gateway, path, 'ada')
  return status === 200 ? sha256(body) : String(status)
}

const operations: Operation[] = [
  {
    name: 'upload',
    prepare: async () => '',
    run: (gateway) => postAttachment(gateway, 'ada', after),
    async state (gateway) {
      const list = json(await get(gateway, '/api/attachments', 'ada')).attachments
      if (list.length === 0) return 'before'
      return list.length === 1 && await shown(gateway, list[0].url) === sha256(after) ? 'after' : 'neither'
    },
  },
  {
    name: 'replacement',
    prepare: async (gateway) => json(await putAvatar(gateway, 'ada', before)).versionedUrl,
    run: (gateway) => putAvatar(gateway, 'ada', after),
    async state (gateway, path) {
      // The old version stays served, whichever is current.
      if (await shown(gateway, path) !== sha256(before)) return 'neither'
      const current = await shown(gateway, '/api/avatars/ada')
      if (current === sha256(before)) return 'before'
      return current === sha256(after) ? 'after' : 'neither'
    },
  },
  {
    name: 'delete',
    prepare: async (gateway) => attachmentIn(await postAttachment(gateway, 'ada', before)).url,
    run: (gateway, path) => remove(gateway, path.replace('/content', ''), 'ada'),
    async state (gateway, path) {
      const content = await shown(gateway, path)
      if (content === sha256(before)) return 'before'
      return content === '404' ? 'after' : 'neither'
    },
  },
]

/** I1, which no kill and hardly a power cut can show: a journal that SQLite flushes takes the folder along. */
function inOrder (points: readonly Point[]): boolean {
  const isOfDatabase = ({ on }: Point) => on.startsWith('/database/')
  const renamed = points.findLastIndex(({ call }, index) => call === 'rename' && points.slice(index).some(isOfDatabase))
  const synced = points.findIndex(({ call, on }, index) => index > renamed && call === 'fsync' && /^\/(avatars|attachments)\//.test(on))
  return synced > renamed && synced < points.findIndex((point, index) => index > renamed && isOfDatabase(point))
}

/** Up to the moment before the operation. */
async function ready (t: Test, { prepare }: Operation) {
  const folder = await temporaryFolder(t)
  const gateway = await start(t, folder, oneWorker)
  const kept = attachmentIn(await postAttachment(gateway, 'eve', untouched)).url
  return { folder, gateway, kept, path: await prepare(gateway) }
}

async function crashAt (t: Test, operation: Operation, { thread, call, nth }: Point): Promise<void> {
  const { folder, gateway, kept, path } = await ready(t, operation)
  await inject(t, gateway, thread, `${call}:signal=SIGKILL:when=${nth}`)
  const isAcknowledged = await operation.run(gateway, path).then(({ status }) => status < 300, () => false)
  t.equal((await gateway.exit).signal, 'SIGKILL', 'the process died of it')
  t.same(partialFiles(folder, known), [], 'I2: under final names all is whole')

  const next = await start(t, folder, sweeping)
  t.same(staging(folder).map(({ pid, files }) => ({ pid, files })), [{ pid: next.pid, files: [] }], 'staging is empty')
  const state = await operation.state(next, path)
  t.ok(state === 'after' || (state === 'before' && !isAcknowledged), `wholly there or wholly not: ${state}, acknowledged: ${isAcknowledged}`)
  t.equal(await shown(next, kept), '404', 'what is another user\'s stays so')
  t.equal(sha256((await get(next, kept, 'eve')).body), sha256(untouched), 'what was acknowledged earlier is there')
  t.same(audit(folder).broken, [], 'I1: each row has its whole blob and sidecar')
  await until('no file is without a row', () => audit(folder).orphans.length === 0)
  t.equal(await operation.state(next, path), state, 'I5: the sweep removed nothing else')
  if (state === 'before') {
    t.match((await operation.run(next, path)).status, /^20[014]$/, 'it can be done again')
    t.equal(await operation.state(next, path), 'after')
  }
  await next.kill()
}

t.test('the tools are there', () => needs('strace'))

for (const operation of operations) {
  t.test(`one ${operation.name}`, { timeout: 600_000 }, async (t) => {
    const { gateway, path } = await ready(t, operation)
    const points = await record(t, gateway, () => operation.run(gateway, path))
    await gateway.kill()
    t.ok(points.length > 10, `${points.length} calls change the volume`)

    t.ok(inOrder(points), 'what is renamed is durable before the database is written')

    t.jobs = parallel
    for (const point of essential(points)) {
      t.test(`killed at ${point.call} ${point.nth} of ${point.thread} on ${point.on}`, { buffered: true }, (t) => crashAt(t, operation, point))
    }
  })
}

t.test('the first start on a volume', { timeout: 600_000 }, async (t) => {
  const recorded = await recordStart(t)
  // How SQLite creates its files is SQLite's own promise.
  const points = recorded.filter(({ on }) => !on.startsWith('/database/'))
  t.ok(points.some(({ on }) => on === identity), `${points.length} calls change the volume`)

  t.jobs = parallel
  for (const point of points) {
    t.test(`killed at ${point.call} ${point.nth} on ${point.on}`, { buffered: true }, async (t) => {
      const { folder, signal, isListening } = await killStart(t, point, point.on === identity)
      t.match({ signal, isListening }, { signal: 'SIGKILL', isListening: false }, 'the process died of it')
      const gateway = await start(t, folder)
      const { url } = attachmentIn(await postAttachment(gateway, 'ada', after))
      t.equal(await shown(gateway, url), sha256(after), 'the next start does its work')
      t.same(staging(folder).map(({ pid }) => pid), [gateway.pid])
      await gateway.kill()
    })
  }
})
