// Complete pictures that wait to be finished: which of all that their user chooses is shown in the end.
import { test, type Test } from 'tap'
import { build, picture } from '../helper.ts'
import { createClamdServer } from './clamd-server.ts'
import { clientOf, clock, metadata, open } from './fixture.ts'

const [square, wide, tall] = [await picture('png', { width: 40, height: 40 }), await picture('png', { width: 60, height: 40 }), await picture('png', { width: 40, height: 60 })]

async function setUp (t: Test) {
  const [scanner, time] = [await createClamdServer(t), clock()]
  const gateway = await open(t, { CLAMD_URL: scanner.url }, { now: time.now })
  const { ada } = gateway
  async function unscanned (url: string, last: () => Promise<{ statusCode: number }>): Promise<string> {
    scanner.answer = 'down'
    t.equal((await last()).statusCode, 423)
    scanner.answer = 'clean'
    return url
  }
  return {
    ...gateway,
    time,
    async waiting (bytes: Buffer): Promise<string> {
      const url = await ada.begin(bytes.length, { kind: 'avatar' })
      return unscanned(url, () => ada.send(url, 0, bytes))
    },
    /** Its length is said when all is there. */
    async waitingDeferred (bytes: Buffer): Promise<string> {
      const url = await ada.begin(undefined, { kind: 'avatar' })
      await ada.send(url, 0, bytes)
      return unscanned(url, () => ada.send(url, bytes.length, '', { 'upload-length': String(bytes.length) }))
    },
    async waitingWhole (bytes: Buffer): Promise<string> {
      const part = await ada.begin(bytes.length, {}, { 'upload-concat': 'partial' })
      await ada.send(part, 0, bytes)
      await unscanned(part, () => ada.create({ 'upload-concat': `final;${part}`, 'upload-metadata': metadata({ kind: 'avatar' }) }))
      const { id } = await gateway.client.resumable.findFirstOrThrow({ where: { parts: { contains: part.split('/').at(-1) ?? '' } } })
      return `/api/resumable/${id}`
    },
    finish: async (url: string) => (await ada.head(url)).statusCode,
    set: async (bytes: Buffer): Promise<string> => (await ada.ask('PUT', '/api/avatars/me', { 'content-type': 'image/png' }, bytes)).json().version,
    remove: async () => (await ada.ask('DELETE', '/api/avatars/me')).statusCode,
    restore: async (version: string) => (await ada.ask('POST', `/api/avatars/me/versions/${version}/restore`)).statusCode,
    versions: async () => (await ada.ask('GET', '/api/avatars/me/versions')).json().versions,
    /** Undefined: none. */
    async shown (): Promise<Buffer | undefined> {
      const { statusCode, rawPayload } = await ada.ask('GET', '/api/avatars/ada')
      return statusCode === 404 ? undefined : rawPayload
    },
  }
}

test('a picture that could be finished only later does not take the place of what its user has chosen since', async (t) => {
  const { ada, client, waiting, waitingDeferred, waitingWhole, finish, set, remove, restore, versions, shown } = await setUp(t)
  for (const begin of [waiting, waitingDeferred, waitingWhole]) {
    const replaced = await begin(square)
    await set(wide)
    t.equal(await finish(replaced), 200)
    const { state, avatar: { version } } = (await ada.look(replaced)).json()
    t.equal(state, 'finished')
    t.strictSame(await shown(), wide, 'the one that was set since')
    t.match((await versions())[1], { version, isCurrent: false }, 'it is an earlier one')
    t.equal(await restore(version), 200)
    t.strictSame(await shown(), square, 'and can be gone back to')
  }

  const first = await set(tall)
  await set(wide)
  for (const what of ['gone back to', 'current already']) {
    const waits = await waiting(square)
    t.equal(await restore(first), 200)
    t.equal(await finish(waits), 200)
    t.strictSame(await shown(), tall, what)
  }

  const cropped = await waiting(square)
  t.equal((await ada.ask('PATCH', '/api/avatars/me', { 'content-type': 'application/json' }, '{"crop":"0,0,1,0.5"}')).statusCode, 200)
  t.equal(await finish(cropped), 200)

  const removed = await waiting(square)
  t.equal(await remove(), 204)
  t.equal(await finish(removed), 200)
  t.equal(await shown(), undefined)
  const { versionedUrl } = (await ada.look(removed)).json().avatar
  t.equal((await ada.ask('GET', versionedUrl)).statusCode, 404, 'nor by the address of its version')
  t.equal(await client.blob.count({ where: { sidecarDueAt: { not: null } } }), 0, 'the sidecars say it too')
  t.equal(await finish(await waiting(square)), 200)
  t.strictSame(await shown(), square, 'what was removed before it came says nothing')
})

test('of several that wait, the one that was complete last is shown, whichever is finished first', async (t) => {
  const { waiting, finish, shown } = await setUp(t)
  const [first, second] = [await waiting(square), await waiting(tall)]
  t.equal(await finish(first), 200)
  t.strictSame(await shown(), square)
  t.equal(await finish(second), 200)
  t.strictSame(await shown(), tall)
  const [early, late] = [await waiting(square), await waiting(wide)]
  t.equal(await finish(late), 200)
  t.equal(await finish(early), 200)
  t.strictSame(await shown(), wide)
})

test('a clock that is set back or forward decides nothing', async (t) => {
  const { time, waiting, finish, set, shown } = await setUp(t)
  const hour = 3_600_000
  await set(wide)
  time.forward(-hour)
  const later = await waiting(square)
  t.equal(await finish(later), 200, 'complete after the other was set')
  const earlier = await waiting(tall)
  time.forward(-hour)
  await set(wide)
  time.forward(3 * hour)
  t.equal(await finish(earlier), 200)
  t.strictSame(await shown(), wide)
})

test('nor does it matter that the upload of an earlier one is gone', async (t) => {
  const { ada, time, waiting, finish, shown } = await setUp(t)
  const [first, second] = [await waiting(square), await waiting(tall)]
  time.forward(1000)
  t.equal(await finish(first), 200)
  t.equal((await ada.end(first)).statusCode, 204)
  t.equal(await finish(second), 200)
  t.strictSame(await shown(), tall)
})

test('who removes their picture is not shown what waited, long after the trash is empty', async (t) => {
  const { client, waiting, finish, set, remove, shown } = await setUp(t)
  await set(wide)
  const waits = await waiting(square)
  t.equal(await remove(), 204)
  // As the clean-up leaves it.
  await client.blob.deleteMany({ where: { state: 'deleted' } })
  t.equal(await finish(waits), 200)
  t.equal(await shown(), undefined)
})

test('who has no picture yet can still say that they want none of what waits', async (t) => {
  const { ada, waiting, finish, remove, shown } = await setUp(t)
  t.equal(await remove(), 404)
  const waits = await waiting(square)
  t.equal(await remove(), 204)
  t.equal(await remove(), 404, 'there is nothing left to remove')
  t.equal(await finish(waits), 200)
  t.equal(await shown(), undefined)
  const ended = await waiting(square)
  await ada.end(ended)
  t.equal(await remove(), 404)
  t.equal(await finish(await waiting(tall)), 200)
  t.strictSame(await shown(), tall)
})

test('also when both happen at once, on two gateways', async (t) => {
  const gateway = await setUp(t)
  const { folder, waiting, finish, set, restore, remove, shown } = gateway
  const { app } = await build(t, { UPLOADS_DIR: folder })
  t.teardown(() => app.close())
  const elsewhere = await clientOf({ ...gateway, app }, 'ada')
  const version = await set(wide)
  for (const [choose, left] of [[() => set(wide), wide], [remove, undefined], [() => restore(version), wide], [() => restore(version), wide], [remove, undefined], [remove, undefined]] as const) {
    const waits = await waiting(square)
    await Promise.all([elsewhere.head(waits), choose()])
    t.not(await finish(waits), 423)
    t.strictSame(await shown(), left)
  }
})
