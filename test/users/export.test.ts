import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, symlink } from 'node:fs/promises'
import { createConnection, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { extract } from 'tar-stream'
import { test } from 'tap'
import type { UserId } from '../../src/callers/caller.ts'
import { createExports } from '../../src/users/export.ts'
import { createExportRecords } from '../../src/users/records.ts'
import { put as putFile } from '../fixtures/home-files.ts'
import { collectLog } from '../fixtures/log.ts'
import { isOnObjects } from '../fixtures/object-server.ts'
import { openBelow } from '../storage/fixtures/volume.ts'
import { withUploads } from './fixtures.ts'

type Entry = { header: { name: string, mtime?: Date | null }, bytes: Buffer }

async function untar (tar: Readable): Promise<Entry[]> {
  const entries: Entry[] = []
  const reading = extract()
  reading.on('entry', (header, stream, next) => {
    buffer(stream).then((bytes) => { entries.push({ header, bytes }); next() }, next)
  })
  await pipeline(tar, reading)
  return entries
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

async function filled (...args: Parameters<typeof withUploads>) {
  const gateway = await withUploads(...args)
  const { attach, setAvatar, app, as } = gateway
  for (const seed of [1, 2]) await setAvatar('ada', seed)
  for (const filename of ['Grüße an alle 👋.txt', '../../etc/passwd', 'same.txt', 'same.txt', `${'long'.repeat(60)}.txt`]) await attach('ada', filename, { bytes: `bytes of ${filename}` })
  const deleted = (await attach('ada', 'deleted.txt')).json().attachments[0].id
  await app.inject({ method: 'DELETE', url: `/api/attachments/${deleted}`, headers: await as('ada') })
  await attach('bob', 'of-bob.txt')
  const exportOf = async (user: string, who = user, ...scopes: Array<'uploads:service' | 'uploads:admin'>) => app.inject({ url: `/api/users/${user}/export`, headers: await as(who, ...scopes) })
  return { ...gateway, exportOf, blobs: () => app.database.client.blob.findMany({ where: { ownerId: 'ada' }, orderBy: { id: 'asc' } }) }
}

const pathOf = ({ id, extension }: { id: string, extension: string }) => (files: string[]) => files.find((path) => path.endsWith(`${id}.${extension}`)) ?? ''

test('an export is a tar of every file of the user, byte by byte, with a manifest that says what each is', async (t) => {
  const { exportOf, blobs } = await filled(t)
  const answer = await exportOf('me', 'ada')
  t.match(answer, { statusCode: 200, headers: { 'content-type': 'application/x-tar', 'cache-control': 'no-store', 'content-disposition': 'attachment; filename="ada.tar"', 'x-content-type-options': 'nosniff' } })
  const entries = await untar(Readable.from([answer.rawPayload]))
  const manifest = JSON.parse(entries.at(-1)?.bytes.toString() ?? '')
  t.equal(entries.at(-1)?.header.name, 'manifest.json')
  t.match(manifest, { userId: 'ada', part: 1, isLast: true })
  const files = entries.slice(0, -1)
  t.equal(new Set(files.map(({ header }) => header.name.toLowerCase())).size, 8, 'no name is there twice')
  t.strictSame(manifest.files.map(({ path }: { path: string }) => path), files.map(({ header }) => header.name))
  t.strictSame(files.map(({ bytes }) => sha256(bytes)), manifest.files.map((file: { sha256: string }) => file.sha256))
  t.strictSame(files.map(({ bytes }) => sha256(bytes)), (await blobs()).map((row) => row.sha256))
  t.ok(files.every(({ header }) => !header.name.startsWith('/') && !header.name.split('/').includes('..')))
  t.match(manifest.files.map(({ path, filename, state }: Record<string, string>) => `${path} ${filename} ${state}`), [
    /^trash\/avatars\/[-\w]+\.png null superseded$/, /^avatars\/[-\w]+\.png null live$/,
    /^attachments\/[-\w]+\/Grüße an alle 👋\.txt Grüße an alle 👋\.txt live$/, /^attachments\/[-\w]+\/passwd passwd live$/,
    /same\.txt/, /same\.txt/, /(long)+\.txt/, /^trash\/attachments\/[-\w]+\/deleted\.txt deleted\.txt deleted$/,
  ])
  t.notMatch(answer.rawPayload.toString('latin1'), /of-bob/)
})

test('the user and an admin get it, a service and another user do not', async (t) => {
  const { exportOf } = await filled(t)
  t.match(await exportOf('ada'), { statusCode: 200 })
  t.match(await exportOf('ada', 'root', 'uploads:admin'), { statusCode: 200 })
  for (const refused of [await exportOf('ada', 'bob'), await exportOf('ada', 'billing', 'uploads:service')]) {
    t.match(refused, { statusCode: 403 })
    t.match(refused.json(), { code: 'SCOPE_MISSING' })
  }
  const nobody = await exportOf('a@b:c', 'root', 'uploads:admin')
  t.match(nobody, { statusCode: 200, headers: { 'content-disposition': 'attachment; filename="a_b_c.tar"' } })
  t.match((await untar(Readable.from([nobody.rawPayload]))).map(({ header }) => header.name), ['manifest.json'])
})

type Listed = { id: string, path: string | null, status: string, problem: string | null }

const manifestIn = (entries: Entry[]): { missing: number, damaged: number, isLast: boolean, files: Listed[] } => JSON.parse(entries.at(-1)?.bytes.toString() ?? '')

test('a file that is lost, or is not as long as it was, is left out and listed as that; all others come, and it is logged once', async (t) => {
  const log = collectLog()
  const { app, exportOf, files, folder, blobs } = await filled(t, { LOG_LEVEL: 'warn' }, { logStream: log.stream })
  const { fs } = app.home
  const [lost, short, long, folded, linked] = await Promise.all((await blobs()).slice(0, 5).map(async (row) => join(folder, pathOf(row)(await files()))))
  const all = manifestIn(await untar(Readable.from([(await exportOf('ada')).rawPayload]))).files
  t.match(all, Array(8).fill({ path: String, status: 'whole', problem: null }))
  await putFile(fs, short ?? '', (await fs.readFile(short ?? '')).subarray(0, 10))
  await putFile(fs, long ?? '', Buffer.concat([await fs.readFile(long ?? ''), Buffer.from('x')]))
  for (const path of [lost ?? '', folded ?? '', linked ?? '']) await fs.unlink(path)
  if (!isOnObjects) {
    await mkdir(folded ?? '')
    await symlink('/etc/hostname', linked ?? '')
  }
  const answer = await exportOf('ada')
  t.equal(answer.statusCode, 200)
  const entries = await untar(Readable.from([answer.rawPayload]))
  t.strictSame(entries.map(({ header }) => header.name), [...all.slice(5).map(({ path }) => path), 'manifest.json'])
  const { files: listed, ...manifest } = manifestIn(entries)
  t.match(manifest, { missing: 5, damaged: 0, isLast: true })
  t.strictSame(listed.map(({ id, status }) => [id, status]), all.map(({ id }, index) => [id, index < 5 ? 'missing' : 'whole']))
  t.match(listed.slice(0, 5), Array(5).fill({ path: null, problem: /^It is not in this archive: .*\.$/ }))
  const lines = log.lines().filter(({ msg }) => !msg.includes('ordinary folder'))
  t.equal(lines.length, 1)
  t.match(lines, [{ level: 40, requestId: String, msg: '5 files of an export are missing or damaged.', files: [{ id: (await blobs())[0]?.id, status: 'missing', reason: isOnObjects ? /is missing/ : /ENOENT/ }, { reason: /not \d+ bytes long/ }, { reason: /not \d+ bytes long/ }, {}, {}] }])
  t.notMatch(log.text(), /"ada"/)
})

test('a file of the right length that holds other bytes, or cannot be read to its end, comes as what can be read, and is listed as damaged', async (t) => {
  const { app, exportOf, files, folder, blobs } = await filled(t)
  const rows = await blobs()
  const [rotten, torn] = rows
  const path = join(folder, pathOf(rotten ?? { id: '', extension: '' })(await files()))
  const bytes = (await app.home.fs.readFile(path)).fill(1, 10, 11)
  await putFile(app.home.fs, path, bytes)
  const entries = await untar(Readable.from([(await exportOf('ada')).rawPayload]))
  t.match(manifestIn(entries), { missing: 0, damaged: 1, files: [{ path: entries[0]?.header.name, status: 'damaged', problem: /^Its bytes are not those that were uploaded/ }, { status: 'whole' }] })
  t.same(entries[0]?.bytes, bytes)
  t.equal(entries.length, 9, 'and all others come')
  for (const fails of [true, false]) {
    const exports = createExports({
      records: createExportRecords(app.database.client),
      now: () => new Date(),
      store: {
        async read (address, range) {
          const whole = await app.storage.store.read(address, range)
          if (address.id !== torn?.id || range !== undefined) return whole
          const start = (await buffer(whole)).subarray(0, 7)
          return Readable.from((async function * () {
            yield start
            if (fails) throw new Error('EIO')
          })())
        },
      },
    })
    const told: unknown[] = []
    const read = await untar(await exports.tarOf('ada' as UserId, (faults) => told.push(...faults)))
    t.match(manifestIn(read), { damaged: 2, files: [{}, { status: 'damaged' }, { status: 'whole' }] })
    t.equal(read.length, 9)
    const size = Number(torn?.size)
    t.same([read[1]?.bytes.length, read[1]?.bytes.subarray(7)], [size, Buffer.alloc(size - 7)], 'what is lost of it is zeros')
    t.match(told, [{ id: rotten?.id, reason: /sha-256/ }, { id: torn?.id, status: 'damaged', reason: fails ? /EIO/ : /sha-256/ }])
  }
})

test('one whose file grows while it is read has no place in the tar any more: the connection is cut', async (t) => {
  const { app } = await filled(t)
  const exports = createExports({
    records: createExportRecords(app.database.client),
    now: () => new Date(),
    store: { read: async (address, range) => range === undefined ? Readable.from([Buffer.alloc(1024 ** 2)]) : app.storage.store.read(address, range) },
  })
  await t.rejects(untar(await exports.tarOf('ada' as UserId)))
})

test('of very many that are lost the first are named in the log, and all are counted', async (t) => {
  const { app, attach } = await filled(t)
  for (let index = 0; index < 15; index += 1) await attach('ada', 'more.txt')
  const exports = createExports({ records: createExportRecords(app.database.client), now: () => new Date(), store: { read: async () => { throw new Error('EMFILE') } } })
  const told: Array<[number, number]> = []
  const entries = await untar(await exports.tarOf('ada' as UserId, (first, count) => told.push([first.length, count])))
  t.same(told, [[20, 23]])
  t.match(manifestIn(entries), { missing: 23, files: { length: 23 } })
})

test('what was purged since it was listed is left out', async (t) => {
  const { app, blobs } = await filled(t)
  const { client } = app.database
  const exports = createExports({
    records: createExportRecords(client),
    now: () => new Date(),
    store: {
      async read (address, range) {
        const [, , gone] = await blobs()
        if (gone !== undefined && gone.id === address.id) {
          await client.blob.update({ where: { id: gone.id }, data: { state: 'purging' } })
          throw new Error('it is not there')
        }
        return app.storage.store.read(address, range)
      },
    },
  })
  t.equal((await untar(await exports.tarOf('ada' as UserId))).length, 8)
})

test('the manifest of very many files comes in parts', async (t) => {
  const { app } = await filled(t)
  const exports = createExports({ store: app.storage.store, records: createExportRecords(app.database.client), now: () => new Date(), manifestFiles: 4 })
  const manifests = (await untar(await exports.tarOf('ada' as UserId))).filter(({ header }) => header.name.startsWith('manifest'))
  t.strictSame(manifests.map(({ header }) => header.name), ['manifest.json', 'manifest-2.json', 'manifest-3.json'])
  t.match(manifests.map(({ bytes }) => JSON.parse(bytes.toString())), [{ part: 1, isLast: false, files: { length: 4 } }, { part: 2, isLast: false, files: { length: 4 } }, { part: 3, isLast: true, files: { length: 0 } }])
})

test('a client that leaves, or takes nothing, leaves no file open; what it does not take is not read', async (t) => {
  const { app, as, attach, folder } = await filled(t)
  const { store } = app.storage
  const { read } = store
  let streams = 0
  store.read = async (...args) => {
    const stream = await read(...args)
    streams += 1
    return stream.once('close', () => { streams -= 1 })
  }
  const open = () => isOnObjects ? streams : openBelow(join(folder, 'attachments')).length
  for (let index = 0; index < 5; index += 1) await attach('ada', 'big.bin', { bytes: 'x'.repeat(8 * 1024 ** 2) })
  await app.listen({ port: 0 })
  const { port } = app.server.address() as AddressInfo
  const { authorization } = await as('ada')
  const socket = createConnection(port, '127.0.0.1')
  socket.write(`GET /api/users/me/export HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`)
  await once(socket, 'readable')
  while (open() === 0) await new Promise((resolve) => { setTimeout(resolve, 10) })
  await new Promise((resolve) => { setTimeout(resolve, 200) })
  t.equal(open(), 1, 'one file at a time, and it waits')
  socket.destroy()
  for (let tries = 0; tries < 200 && open() > 0; tries += 1) await new Promise((resolve) => { setTimeout(resolve, 10) })
  t.equal(open(), 0)
})

test('a database that fails has a status', async (t) => {
  const { app, exportOf } = await filled(t)
  await app.database.client.$executeRaw`ALTER TABLE "Blob" RENAME TO "Elsewhere"`
  t.match(await exportOf('ada'), { statusCode: 503 })
})

test('a date that a tar cannot say is the nearest that it can', async (t) => {
  const { app, blobs, exportOf } = await filled(t)
  const [first, second] = await blobs()
  await app.database.client.blob.update({ where: { id: first?.id ?? '' }, data: { createdAt: new Date('1931-01-01T00:00:00Z') } })
  await app.database.client.blob.update({ where: { id: second?.id ?? '' }, data: { createdAt: new Date('9999-01-01T00:00:00Z') } })
  const entries = await untar(Readable.from([(await exportOf('ada')).rawPayload]))
  t.equal(entries.length, 9)
  t.strictSame(entries.slice(0, 2).map(({ header }) => header.mtime?.getTime()), [0, (2 ** 31 - 1) * 1000])
})
