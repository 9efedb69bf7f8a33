import { appendFile, chmod, cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { extract } from 'tar-stream'
import t from 'tap'
import { backup } from '../../../src/operations/backup/backup.ts'
import { pruneErased } from '../../../src/operations/backup/prune.ts'
import { verifyBackup } from '../../../src/operations/backup/verify.ts'
import { silent } from '../../../src/operations/progress.ts'
import { restore } from '../../../src/operations/restore/restore.ts'
import { fileSystem, type FileSystem } from '../../../src/storage/fs.ts'
import { temporaryFolder } from '../../helper.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { backedUp, filesBelow, furnished, rowsOf } from '../fixtures/furnished.ts'

const progress = silent

/** Names what was in the tar. */
async function unpacked (tar: Buffer, dir: string): Promise<string[]> {
  const names: string[] = []
  const unpack = extract()
  unpack.end(tar)
  for await (const entry of unpack) {
    names.push(entry.header.name)
    const chunks: Buffer[] = []
    for await (const chunk of entry) chunks.push(chunk as Buffer)
    await mkdir(join(dir, entry.header.name, '..'), { recursive: true })
    await writeFile(join(dir, entry.header.name), Buffer.concat(chunks))
  }
  return names
}

t.test('a backup holds every file, and a second one copies only what is new', async (t) => {
  const { config, dir, attach, face } = await furnished(t)
  await attach('ada', 'one')
  await face('ada')
  const first = await backup(config, { to: { dir }, progress })
  t.match(first, { files: 2, copiedFiles: 2, findings: { length: 0 }, goneFiles: 0, erasedFiles: 0, removedFiles: 0 })
  await attach('eve', 'two')
  const second = await backup(config, { to: { dir }, progress })
  t.match(second, { files: 3, copiedFiles: 1, copiedBytes: 3 })
  t.ok(second.snapshot > first.snapshot)
  for (const snapshot of [first.snapshot, second.snapshot]) t.same((await verifyBackup(dir, { snapshot, progress })).findings, [])
  t.notOk((await filesBelow(dir)).some((path) => /staging|cache|keys/.test(path)), 'nothing else is in it')
})

t.test('--keep removes older snapshots, and the files that only they named', async (t) => {
  const { app, as, config, dir, attach } = await furnished(t)
  const { id } = await attach('ada', 'gone soon')
  const first = await backup(config, { to: { dir }, progress })
  await app.inject({ method: 'DELETE', url: `/api/attachments/${id}`, headers: await as('ada') })
  await attach('ada', 'stays')
  await app.database.client.blob.deleteMany({ where: { state: 'deleted' } })
  const second = await backup(config, { to: { dir }, keep: 1, progress })
  t.match(second, { files: 1, removedSnapshots: [first.snapshot], removedFiles: 1 })
  t.same((await verifyBackup(dir, { progress })).findings, [])
})

t.test('a file of no snapshot goes, but not while a snapshot cannot be read', async (t) => {
  const { config, dir, attach } = await furnished(t)
  await attach('ada', 'one')
  const { snapshot } = await backup(config, { to: { dir }, progress })
  const said: string[] = []
  await writeFile(join(dir, 'snapshots', snapshot, 'database.sqlite'), 'no database')
  const { removedFiles } = await backup(config, { to: { dir }, progress: { ...silent, say: (message) => said.push(message) } })
  t.equal(removedFiles, null)
  t.match(said, [/is damaged, so no file was removed/])
})

t.test('what is missing or damaged on the volume is named, and all others are backed up', async (t) => {
  const { config, dir, folder, attach } = await furnished(t)
  for (const text of ['lost', 'other', 'short', 'link', 'whole']) await attach('ada', text)
  await backup(config, { to: { dir }, progress })
  const { sidecars } = await backedUp(dir)
  await rm(dir, { recursive: true })
  const on = (size: number, text: string) => sidecars.filter((one) => one.size === size)[text === 'whole' || text === 'short' ? ['short', 'whole'].indexOf(text) - (size === 5 ? -1 : 0) : text === 'link' ? 1 : 0]
  const path = (one = sidecars[0]) => join(folder, `attachments/${one?.createdAt.slice(0, 10).replaceAll('-', '/')}/${one?.id}.${one?.extension}`)
  await rm(path(on(4, 'lost')))
  await rm(path(on(4, 'link')))
  await symlink('/etc/hostname', path(on(4, 'link')))
  const [other, short] = sidecars.filter((one) => one.size === 5)
  await writeFile(path(other), 'othxr')
  await writeFile(path(short), 'sh')
  const report = await backup(config, { to: { dir }, progress })
  t.same(report.findings.map(({ problem }) => problem).sort(), ['blob-corrupt', 'blob-missing', 'blob-size', 'blob-unreadable'])
  t.match(report, { files: 5, copiedFiles: 1 })
  const { findings } = await verifyBackup(dir, { progress })
  t.equal(findings.length, 4, 'and the backup does not have them')
  t.match(findings, [{ problem: 'blob-missing' }])
})

t.test('where a whole folder of the volume is lost, all other files are backed up', async (t) => {
  const { config, dir, folder, attach, face } = await furnished(t)
  await attach('ada', 'stays')
  await face('ada')
  await rm(join(folder, 'avatars'), { recursive: true })
  t.match(await backup(config, { to: { dir }, progress }), { copiedFiles: 1, findings: [{ problem: 'blob-missing' }] })
  t.match((await verifyBackup(dir, { progress })).findings, [{ problem: 'blob-missing' }])
})

t.test('what went for good while the backup ran is not in it', async (t) => {
  const { app, as, config, dir, attach, erase } = await furnished(t)
  const { id } = await attach('ada', 'purged')
  await attach('eve', 'erased')
  const { id: kept } = await attach('bob', 'stays')
  t.equal((await app.inject({ method: 'PATCH', url: `/api/attachments/${kept}`, headers: await as('bob'), payload: { readers: ['eve', 'kim'] } })).statusCode, 200)
  const { blobId } = await app.database.client.attachment.findUniqueOrThrow({ where: { id } })
  let isFirst = true
  // The first file is looked at when the database is copied already.
  const fs: FileSystem = {
    ...fileSystem,
    stat: (async (path: string) => {
      if (isFirst && path.includes('/blobs/')) {
        isFirst = false
        await app.storage.store.removeForGood({ kind: 'attachment', id: blobId as never, extension: 'bin' })
        await app.storage.store.removeForGood({ kind: 'attachment', id: blobId as never, extension: 'txt' })
        await app.database.client.blob.delete({ where: { id: blobId } })
        t.equal(await erase('eve'), 200)
      }
      return fileSystem.stat(path)
    }) as FileSystem['stat'],
  }
  const report = await backup(config, { to: { dir }, progress, fs })
  t.match(report, { files: 1, goneFiles: 1, erasedFiles: 1, findings: { length: 0 } })
  const { root, sidecars } = await backedUp(dir)
  t.match(sidecars, [{ ownerId: 'bob', readers: ['kim'] }])
  t.same(rowsOf(join(root, 'database.sqlite')).map(({ ownerId }) => ownerId), ['bob'])
  t.notOk((await readFile(join(root, 'database.sqlite'))).includes('eve'), 'nor anywhere in the file')
  t.same((await verifyBackup(dir, { progress })).findings, [])
})

t.test('the keys of the gateway come along when asked for, for nobody else to read', async (t) => {
  const { config, dir, attach } = await furnished(t)
  await attach('ada', 'one')
  await mkdir(join(config.uploadsDir, 'database'), { recursive: true })
  await writeFile(join(config.uploadsDir, 'database/jwt.secret'), 'a secret\n', { mode: 0o600 })
  await writeFile(join(config.uploadsDir, 'database/link.secret'), 'another secret\n', { mode: 0o600 })
  await backup(config, { to: { dir }, withKeys: true, progress })
  const { root, record } = await backedUp(dir)
  t.equal(await readFile(join(root, 'keys/jwt.secret'), 'utf8'), 'a secret\n')
  t.equal(await readFile(join(root, 'keys/link.secret'), 'utf8'), 'another secret\n')
  t.equal((await fileSystem.stat(join(root, 'keys/jwt.secret'))).mode & 0o777, 0o600)
  t.ok(record?.files['keys/jwt.secret'])
})

t.test('as a tar it is the same, with the snapshot last', async (t) => {
  const { config, attach, face } = await furnished(t)
  await attach('ada', Buffer.alloc(3 * 1024 ** 2, 'x'))
  await attach('ada', 'y')
  await face('ada')
  const output = new PassThrough()
  const bytes = buffer(output)
  const report = await backup(config, { to: { output }, progress })
  t.match(report, { files: 3, copiedFiles: 3, removedSnapshots: { length: 0 }, removedFiles: 0 })
  const dir = await temporaryFolder(t)
  const names = await unpacked(await bytes, dir)
  t.equal(names[0], 'upload-gateway-backup.json')
  t.equal(names.at(-1), `snapshots/${report.snapshot}/snapshot.json`)
  t.same((await verifyBackup(dir, { progress })).findings, [])
  t.match(await backup(config, { to: { dir }, progress }), { copiedFiles: 0 }, 'and goes on as a folder')
})

t.test('a tar names what is damaged and missing too, and does not hold it', async (t) => {
  const { config, folder, attach } = await furnished(t)
  for (const text of ['a', 'bb', 'ccc']) await attach('ada', text)
  const files = (await filesBelow(folder)).filter((path) => path.startsWith('attachments/') && !path.endsWith('.json'))
  for (const path of files) {
    const text = await readFile(join(folder, path), 'utf8')
    if (text === 'a') await rm(join(folder, path))
    else await writeFile(join(folder, path), text === 'bb' ? 'xx' : 'c')
  }
  const output = new PassThrough()
  output.resume()
  const { findings } = await backup(config, { to: { output }, progress })
  t.same(findings.map(({ problem }) => problem).sort(), ['blob-corrupt', 'blob-missing', 'blob-size'])
})

t.test('a tar whose reader goes away is refused with the reason', async (t) => {
  const { config, attach } = await furnished(t)
  await attach('ada', Buffer.alloc(3 * 1024 ** 2, 'x'))
  let count = 0
  const output = new Writable({ write (chunk: Buffer, _encoding, done) { count += chunk.length; done(count > 1024 ** 2 ? new Error('nobody reads') : null) } })
  await t.rejects(backup(config, { to: { output }, progress }), { name: 'Refusal', message: /could not be written to its end: nobody reads\. The tar is of no use/ })
})

t.test('a destination that fails is told from a source that does', async (t) => {
  const { config, dir, attach } = await furnished(t)
  for (let n = 0; n < 20; n += 1) await attach('ada', `text ${n}`)
  for (const [code, message] of [['ENOSPC', /^The backup folder \S+ is full\. Free some space there and run this again: what was copied is kept/], ['EIO', /^The backup folder \S+ cannot be written: .*EIO/]] as const) {
    const { fs, inject } = createFaults()
    inject({ on: 'writev', path: /partial/, nth: 5, forever: true, errno: code })
    await t.rejects(backup(config, { to: { dir }, progress, fs }), { name: 'Refusal', message })
  }
  t.match(await backup(config, { to: { dir }, progress }), { files: 20 })
  t.ok((await filesBelow(dir)).every((path) => !path.startsWith('staging/')))
})

t.test('places that no backup may go to', async (t) => {
  const { config, dir, folder, attach } = await furnished(t)
  await attach('ada', 'one')
  await t.rejects(backup(config, { to: { dir: join(folder, 'backup') }, progress }), { name: 'Refusal', message: /is on the uploads volume/ })
  await t.rejects(backup(config, { to: { dir: folder }, progress }), { message: /is on the uploads volume/ })
  await mkdir(dir)
  await writeFile(join(dir, 'letters'), '')
  await t.rejects(backup(config, { to: { dir }, progress }), { name: 'Refusal', message: /is no backup folder: .* has letters/ })
  const other = await furnished(t)
  await other.attach('ada', 'other')
  await backup(other.config, { to: { dir: other.dir }, progress })
  await t.rejects(backup(config, { to: { dir: other.dir }, progress }), { name: 'Refusal', message: /of another volume/ })
  await writeFile(join(other.dir, 'upload-gateway-backup.json'), JSON.stringify({ format: 2, volume: '', createdAt: '' }))
  await t.rejects(backup(config, { to: { dir: other.dir }, progress }), { name: 'Refusal', message: /newer version/ })
  for (const text of ['{}', 'x']) {
    await writeFile(join(other.dir, 'upload-gateway-backup.json'), text)
    await t.rejects(backup(config, { to: { dir: other.dir }, progress }), { name: 'Refusal', message: /is damaged/ })
  }
  if (process.getuid?.() !== 0) {
    await chmod(dir, 0o500)
    await t.rejects(backup(config, { to: { dir: join(dir, 'x') }, progress }), { name: 'Refusal', message: /cannot be written/ })
  }
})

t.test('what interrupted runs left is cleared', async (t) => {
  const { config, dir, attach } = await furnished(t)
  await attach('ada', 'one')
  const first = await backup(config, { to: { dir }, progress })
  const second = await backup(config, { to: { dir }, progress })
  const at = (name: string) => join(dir, 'snapshots', name)
  await mkdir(join(dir, 'staging/01a200f9-7192-75bc-8c8c-10179a78d911'), { recursive: true })
  await writeFile(join(dir, 'staging/01a200f9-7192-75bc-8c8c-10179a78d911/x.partial'), 'x')
  await mkdir(at('20200101T000000.000Z'))
  await fileSystem.rename(at(first.snapshot), `${at(first.snapshot)}.replaced`)
  await cp(at(second.snapshot), `${at(second.snapshot)}.replaced`, { recursive: true })
  t.same((await verifyBackup(dir, { snapshot: first.snapshot, progress })).findings, [], 'one that was about to be replaced still counts')
  const third = await backup(config, { to: { dir }, progress })
  t.same(await fileSystem.readdir(join(dir, 'snapshots')), [first.snapshot, second.snapshot, third.snapshot])
  t.same(await fileSystem.readdir(join(dir, 'staging')), [])
})

t.test('a backup folder that cannot be begun is let go again', async (t) => {
  const { config, dir } = await furnished(t)
  const { fs, inject } = createFaults()
  inject({ on: 'rename', path: /→ .*upload-gateway-backup/, errno: 'EIO' })
  await t.rejects(backup(config, { to: { dir }, progress, fs }), { name: 'Refusal', message: /cannot be written/ })
  t.match(await backup(config, { to: { dir }, progress }), { files: 0 })
})

t.test('a file that fails while it is sent makes the tar useless, and that is said', async (t) => {
  const { config, attach } = await furnished(t)
  await attach('ada', 'a text')
  const { fs, inject } = createFaults()
  // It is read to its end twice: first to prove it, then to send it.
  inject({ on: 'read', path: /attachments/, nth: 3, errno: 'EIO' })
  await t.rejects(backup(config, { to: { output: new PassThrough().resume() }, progress, fs }), { name: 'Refusal', message: /^The file \S+ could not be sent to its end: EIO.* The tar is of no use; run the backup again\.$/ })
})

t.test('texts that other tools take for two lines come back', async (t) => {
  const { app, config, dir, attach, lose } = await furnished(t)
  await attach('ada', 'a text')
  await app.database.client.attachment.updateMany({ data: { alt: 'one\u2028two\u2029three' } })
  await backup(config, { to: { dir }, progress })
  t.same((await verifyBackup(dir, { progress })).findings, [])
  await lose()
  t.match(await restore(config, dir, { progress }), { files: 1 })
})

t.test('a snapshot that nobody could restore is not made', async (t) => {
  const { app, config, dir, attach } = await furnished(t)
  await attach('ada', 'a text')
  await backup(config, { to: { dir }, progress })
  await app.database.client.blob.updateMany({ data: { revision: 0 } })
  await t.rejects(backup(config, { to: { dir }, progress }), { name: 'Refusal', message: /could not be restored, so it was not made: manifest\.ndjson: .*Older snapshots are as they were/ })
  t.equal((await fileSystem.readdir(join(dir, 'snapshots'))).length, 1)
})

t.test('what was in the stream before it was erased is told, and cleaning the unpacked folder removes it', async (t) => {
  const { config, attach, erase } = await furnished(t)
  for (const text of ['first', 'second', 'third']) await attach('eve', text)
  let opened = 0
  const fs: FileSystem = {
    ...fileSystem,
    open: async (...args) => {
      if (/attachments/.test(String(args[0])) && ++opened === 2) t.equal(await erase('eve'), 200)
      return fileSystem.open(...args)
    },
  }
  const output = new PassThrough()
  const bytes = buffer(output)
  t.match(await backup(config, { to: { output }, progress, fs }), { files: 0, erasedFiles: 3, erasedFilesLeft: 1 })
  const dir = await temporaryFolder(t)
  await unpacked(await bytes, dir)
  t.match((await verifyBackup(dir, { progress })).findings, [{ problem: 'foreign', path: /^blobs\/attachments/ }])
  t.match(await pruneErased(config, dir, { progress }), { removedFiles: 1 })
  t.same((await verifyBackup(dir, { progress })).findings, [])
})

t.test('some of what is there is read again, and copied anew when it rotted', async (t) => {
  const { config, dir, attach } = await furnished(t)
  for (let n = 0; n < 25; n += 1) await attach('ada', `text ${n + 10}`)
  t.match(await backup(config, { to: { dir }, progress }), { copiedFiles: 25, rereadFiles: 0, mendedFiles: 0 })
  const { paths } = await backedUp(dir)
  for (const path of paths) await writeFile(path, 'rotten!')
  let count = 0
  t.match(await backup(config, { to: { dir }, progress, random: () => ++count <= 5 ? 0.79 : 0.8 }), { copiedFiles: 0, rereadFiles: 5, mendedFiles: 5 }, 'of 25 about 20')
  t.equal((await verifyBackup(dir, { progress })).findings.length, 20)
  t.match(await backup(config, { to: { dir }, progress, random: () => 0 }), { rereadFiles: 25, mendedFiles: 20 })
  t.same((await verifyBackup(dir, { progress })).findings, [])
})

t.test('a snapshot whose database is not the one it was made with is not believed', async (t) => {
  const { app, as, config, dir, attach } = await furnished(t)
  const { id } = await attach('ada', 'only in the first')
  const first = await backup(config, { to: { dir }, progress })
  await app.inject({ method: 'DELETE', url: `/api/attachments/${id}`, headers: await as('ada') })
  await app.database.client.blob.deleteMany({})
  const second = await backup(config, { to: { dir }, progress })
  const at = (snapshot: string) => join(dir, 'snapshots', snapshot, 'database.sqlite')
  const original = await readFile(at(first.snapshot))
  await cp(at(second.snapshot), at(first.snapshot))
  const said: string[] = []
  t.match(await backup(config, { to: { dir }, progress: { ...silent, say: (message) => said.push(message) } }), { removedFiles: null })
  t.match(said, [new RegExp(`The snapshot ${first.snapshot} in .* is damaged, so no file was removed`)])
  await writeFile(at(first.snapshot), original)
  t.same((await verifyBackup(dir, { snapshot: first.snapshot, progress })).findings, [])
})

t.test('a ledger of erasures with lines that cannot be read is told', async (t) => {
  const { config, dir, folder } = await furnished(t)
  await appendFile(join(folder, 'erasures.ndjson'), 'x\n')
  const { findings } = await backup(config, { to: { dir }, progress })
  t.match(findings, [{ problem: 'ledger-damaged', path: join(folder, 'erasures.ndjson'), detail: /^One line of this ledger of erasures cannot be read/, mend: /a whole copy/ }])
})
