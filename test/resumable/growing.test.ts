// An upload whose pieces all come to one process is one file from the beginning on, which becomes the blob; whatever comes between, what counts are the bytes that were acknowledged.
import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { createFaults } from '../fixtures/faults.ts'
import { onVolumeOnly } from '../fixtures/object-server.ts'
import { clock, connect, open, patchHead, until, type Client } from './fixture.ts'

const onVolume = { skip: onVolumeOnly }

async function setUp (t: Test, settings: Record<string, string> = {}) {
  const faults = createFaults()
  const time = clock()
  const gateway = await open(t, settings, { fs: faults.fs, now: time.now })
  const folderOf = (url: string) => join(gateway.folder, 'resumable', url.split('/').at(-1) ?? '')
  return {
    ...gateway, faults, time, folderOf,
    segmentsOf: (url: string) => readdir(folderOf(url)),
    /** Whether the file was taken as it was. */
    isTaken: () => faults.count('link') > 0 && faults.count('read', /resumable/) === 0,
  }
}

const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** With exactly these bytes, and nothing beside it. */
async function isKept (t: Test, { ada, kept, folder, url, bytes }: { ada: Client, kept: () => Promise<string[]>, folder: string, url: string, bytes: string | Buffer }): Promise<void> {
  const { attachment } = (await ada.look(url)).json()
  t.match(attachment, { size: bytes.length, sha256: sha256(bytes) })
  await until('the segments are gone', async () => (await kept()).length === 2)
  const [blob = ''] = (await kept()).filter((path) => !path.endsWith('.json'))
  t.ok((await readFile(join(folder, blob))).equals(Buffer.from(bytes)), 'on the volume')
  t.equal((await stat(join(folder, blob))).nlink, 1)
}

test('pieces to one process are one file, which becomes the blob; nothing is read or copied', onVolume, async (t) => {
  const gateway = await setUp(t)
  const { ada, segmentsOf, isTaken, client } = gateway
  const bytes = randomBytes(5 * 1024 ** 2)
  const url = await ada.begin(bytes.length)
  for (const [from, to] of [[0, 3], [3, 1_500_000], [1_500_000, 4_000_000]] as const) {
    t.match(await ada.send(url, from, bytes.subarray(from, to)), { statusCode: 204, headers: { 'upload-offset': String(to) } })
    t.strictSame(await segmentsOf(url), ['0-1'])
    t.match(await client.segment.findMany(), [{ start: 0n, bytes: BigInt(to) }])
  }
  t.match(await ada.head(url), { headers: { 'upload-offset': '4000000' } }, 'who asks where it stands disturbs nothing')
  t.equal((await ada.send(url, 4_000_000, bytes.subarray(4_000_000))).statusCode, 204)
  t.ok(isTaken())
  await isKept(t, { ...gateway, url, bytes })
})

test('after a restart between two pieces, what comes goes into files of their own, and all are read', onVolume, async (t) => {
  const first = await setUp(t)
  const url = await first.ada.begin(15)
  await first.ada.send(url, 0, 'hello')
  await first.app.close()
  const next = await setUp(t, { UPLOADS_DIR: first.folder })
  await next.ada.send(url, 5, 'world')
  t.strictSame(await next.segmentsOf(url), ['0-1', '5-2'])
  await next.ada.send(url, 10, 'again')
  t.notOk(next.isTaken())
  await isKept(t, { ...next, url, bytes: 'helloworldagain' })
})

test('a piece that another process took counts, and not what the first one has', onVolume, async (t) => {
  const one = await setUp(t)
  const two = await setUp(t, { UPLOADS_DIR: one.folder })
  for (const [length, finisher] of [[15, one], [10, two]] as const) {
    const url = await one.ada.begin(length)
    t.match(await one.ada.send(url, 0, 'hello'), { statusCode: 204 })
    t.match(await two.ada.send(url, 5, 'world'), { statusCode: 204, headers: { 'upload-offset': '10' } })
    if (length === 15) t.match(await one.ada.send(url, 10, 'again'), { statusCode: 204, headers: { 'upload-offset': '15' } })
    t.notOk(finisher.isTaken())
    const { attachment } = (await one.ada.look(url)).json()
    t.equal(await one.ada.content(`/api/attachments/${attachment.id}`), 'helloworldagain'.slice(0, length))
    t.equal(attachment.sha256, sha256('helloworldagain'.slice(0, length)))
  }
})

test('what was written and did not count, because another process took over, is never part of the whole', onVolume, async (t) => {
  const gateway = await setUp(t)
  const { ada, client, faults, segmentsOf, folderOf, isTaken } = gateway
  const url = await ada.begin(15)
  await ada.send(url, 0, 'hello')
  const id = url.split('/').at(-1) ?? ''
  // The other one takes it, and five other bytes, while this one makes its own durable.
  faults.inject({
    on: 'sync',
    path: /0-1$/,
    async before () {
      await gateway.app.home.fs.open(join(folderOf(url), '5-9'), 'wx').then(async (handle) => {
        await handle.writev([Buffer.from('other')], 0)
        await handle.close()
      })
      await client.resumable.update({ where: { id }, data: { epoch: 9, offset: 10n } })
      await client.segment.create({ data: { id: `${id}/5-9`, uploadId: id, start: 5n, bytes: 5n } })
    },
  })
  t.match((await ada.send(url, 5, 'world')).json(), { code: 'RESUMABLE_TAKEN_OVER' })
  t.equal((await stat(join(folderOf(url), '0-1'))).size, 10, 'as long as what counts, and not the same')
  t.match(await ada.send(url, 10, 'again'), { statusCode: 204 })
  t.notOk(isTaken())
  t.strictSame(await segmentsOf(url).catch(() => []), [])
  await isKept(t, { ...gateway, url, bytes: 'hellootheragain' })
})

test('I6: after an fsync that failed in the middle, what was acknowledged stays, and the file is not gone on with', onVolume, async (t) => {
  const gateway = await setUp(t)
  const { ada, faults, segmentsOf, isTaken } = gateway
  const url = await ada.begin(10)
  await ada.send(url, 0, 'hello')
  faults.inject({ on: 'sync', path: /0-1$/, errno: 'EIO' })
  t.equal((await ada.send(url, 5, 'wrong')).statusCode, 503)
  t.match((await ada.look(url)).json(), { offset: 5 })
  t.equal((await ada.send(url, 5, 'world')).statusCode, 204)
  t.notOk(isTaken())
  t.strictSame(await segmentsOf(url).catch(() => []), [])
  await isKept(t, { ...gateway, url, bytes: 'helloworld' })
})

test('a piece with the wrong checksum is cut off again, and replaced by the right one', onVolume, async (t) => {
  const gateway = await setUp(t)
  const { ada, segmentsOf, folderOf, isTaken } = gateway
  const url = await ada.begin(15)
  await ada.send(url, 0, 'hello')
  const checksum = (text: string) => ({ 'upload-checksum': `sha256 ${createHash('sha256').update(text).digest('base64')}` })
  t.equal((await ada.send(url, 5, 'wrong', checksum('world'))).statusCode, 460)
  t.equal((await stat(join(folderOf(url), '0-1'))).size, 5)
  t.match(await ada.head(url), { headers: { 'upload-offset': '5' } })
  t.equal((await ada.send(url, 5, 'world', checksum('world'))).statusCode, 204)
  t.strictSame(await segmentsOf(url), ['0-1', '5-4'])
  t.equal((await ada.send(url, 10, 'again')).statusCode, 204)
  t.notOk(isTaken())
  await isKept(t, { ...gateway, url, bytes: 'helloworldagain' })
})

test('a client that leaves in the middle goes on in the same file, with what came', onVolume, async (t) => {
  const gateway = await setUp(t)
  const { ada, faults, segmentsOf, isTaken } = gateway
  const url = await ada.begin(15)
  await ada.send(url, 0, 'hello')
  const { socket } = await connect(gateway)
  socket.write(patchHead(url, ada.own, { 'upload-offset': '5', 'content-length': '10' }) + 'wor')
  await until('it came', () => faults.count('open', /0-1$/) === 2)
  socket.destroy()
  await until('it is durable', async () => (await ada.look(url)).json().offset === 8)
  t.equal((await ada.send(url, 8, 'ldagain')).statusCode, 204)
  t.ok(isTaken())
  t.strictSame(await segmentsOf(url).catch(() => []), [])
  await isKept(t, { ...gateway, url, bytes: 'helloworldagain' })
})

test('what is ended in the middle leaves nothing, also while a piece comes', onVolume, async (t) => {
  const gateway = await setUp(t)
  const { ada, faults, kept } = gateway
  const [idle, busy] = [await ada.begin(10), await ada.begin(10)]
  for (const url of [idle, busy]) await ada.send(url, 0, 'hello')
  const { socket, answer } = await connect(gateway)
  socket.write(patchHead(busy, ada.own, { 'upload-offset': '5', 'content-length': '5', connection: 'close' }) + 'wor')
  await until('it came', () => faults.count('open', /0-1$/) === 3)
  t.strictSame([(await ada.end(idle)).statusCode, (await ada.end(busy)).statusCode], [204, 204])
  t.match(await answer, /^HTTP\/1\.1 4(09|10) /)
  for (const url of [idle, busy]) t.equal((await ada.send(url, 5, 'world')).statusCode, 404)
  t.strictSame(await kept(), [])
})

test('the length may be said last; other digests than sha-256 are of bytes that are read', onVolume, async (t) => {
  const gateway = await setUp(t)
  const { ada, isTaken, faults } = gateway
  const late = await ada.begin(undefined)
  await ada.send(late, 0, 'hello')
  await ada.send(late, 5, 'world')
  t.equal((await ada.send(late, 10, '', { 'upload-length': '10' })).statusCode, 204)
  t.ok(isTaken())
  await isKept(t, { ...gateway, url: late, bytes: 'helloworld' })
  faults.heal()
  const said = (bytes: string) => ({ 'repr-digest': `sha-512=:${createHash('sha512').update(bytes).digest('base64')}:` })
  const [right, wrong] = [await ada.begin(5, {}, said('hello')), await ada.begin(5, {}, said('other'))]
  t.equal((await ada.send(right, 0, 'hello')).statusCode, 204)
  t.notOk(isTaken())
  t.equal((await ada.send(wrong, 0, 'hello')).statusCode, 422)
  const other = await ada.begin(5, { sha256: sha256('other') })
  t.equal((await ada.send(other, 0, 'hello')).statusCode, 422, 'and the sha-256 is that of what was written')
  t.ok(faults.count('link') > 0)
})

test('where a file cannot have two names it is copied; an attempt that fails behind it leaves its bytes for the next', onVolume, async (t) => {
  const gateway = await setUp(t)
  const { ada, faults, time, kept, client } = gateway
  faults.inject({ on: 'link', errno: 'EPERM' })
  const copied = await ada.begin(10)
  await ada.send(copied, 0, 'hello')
  t.equal((await ada.send(copied, 5, 'world')).statusCode, 204)
  t.equal(faults.count('link'), 1)
  await isKept(t, { ...gateway, url: copied, bytes: 'helloworld' })

  faults.heal()
  const retried = await ada.begin(10)
  await ada.send(retried, 0, 'hello')
  faults.inject({ on: 'rename', path: /sidecar/, errno: 'EIO' })
  t.match((await ada.send(retried, 5, 'WORLD')).json(), { code: 'RESUMABLE_FINISHING' })
  t.equal(faults.count('link'), 1)
  t.equal((await kept()).filter((path) => path.startsWith('resumable/')).length, 1, 'the acknowledged bytes')
  t.equal((await kept()).length, 3)
  time.forward(60_000)
  t.match(await ada.head(retried), { statusCode: 200, headers: { 'upload-offset': '10' } })
  t.equal(await ada.content(`/api/attachments/${(await ada.look(retried)).json().attachment.id}`), 'helloWORLD')
  t.equal(await client.attachment.count(), 2)
})

test('parts are not files to go on with: each becomes part of another', onVolume, async (t) => {
  const { ada, segmentsOf, isTaken } = await setUp(t)
  const part = String((await ada.create({ 'upload-length': '10', 'upload-concat': 'partial' })).headers.location)
  await ada.send(part, 0, 'hello')
  await ada.send(part, 5, 'world')
  t.strictSame(await segmentsOf(part), ['0-1', '5-2'])
  const whole = await ada.create({ 'upload-concat': `final;${part}` })
  t.equal(await ada.content(whole.headers['upload-result']), 'helloworld')
  t.notOk(isTaken())
})
