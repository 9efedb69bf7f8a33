import { constants } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'tap'
import { readOrdinary } from '../../../src/storage/fs.ts'
import { storeFor } from './fixture.ts'

const day = 'attachments/2026/11/23'
const blob = `${day}/01a20649-95bc-748f-b246-0e3192c0f020.txt`

test('an object is opened, looked at and read as a file is', async (t) => {
  const { fs, at, put, asked } = await storeFor(t)
  put(blob, 'hello world')
  const handle = await fs.open(at(blob), readOrdinary)
  const stats = await handle.stat()
  t.strictSame([stats.isFile(), stats.isDirectory(), stats.size, stats.uid, typeof stats.mtimeMs], [true, false, 11, process.getuid?.() ?? 0, 'number'])
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(5), 0, 5, 6)
  t.equal(buffer.toString('utf8', 0, bytesRead), 'world')
  t.equal(await handle.readFile('utf8'), 'hello world')
  t.equal(await text(handle.createReadStream({ start: 6, end: 8 })), 'wor')
  await handle.close()
  t.equal(await fs.readFile(at(blob), 'utf8'), 'hello world')
  t.ok((await fs.readFile(at(blob))).equals(Buffer.from('hello world')))
  t.strictSame(await asked(() => fs.readFile(at(blob), { encoding: 'utf8', flag: readOrdinary })), [`read ${blob}`], 'in one call')
  t.equal((await fs.stat(at(blob))).ino, stats.ino)
  t.equal(await fs.realpath(at(blob)), at(blob))
})

test('what is missing is ENOENT, and what is a folder no file', async (t) => {
  const { fs, at, put } = await storeFor(t)
  for (const work of [() => fs.open(at('x'), 'r'), () => fs.readFile(at('x')), () => fs.stat(at('x')), () => fs.unlink(at('x')), () => fs.rm(at('x')), () => fs.rm(at('x'), { recursive: true }), () => fs.readdir(at('x')), () => fs.rename(at('x'), at('y')), () => fs.open(at('x'), 'r+'), () => fs.open(at('x'), constants.O_RDONLY | constants.O_DIRECTORY), () => fs.readFile(at('erasures.ndjson')), () => fs.open(at('erasures.ndjson'), 'r'), () => fs.stat(at('staging/x'))]) {
    await t.rejects(work() as Promise<unknown>, { code: 'ENOENT' })
  }
  await fs.rm(at('x'), { force: true })
  put('folder/file', 'x')
  for (const folder of ['folder', day]) {
    t.ok((await fs.stat(at(folder))).isDirectory())
    const handle = await fs.open(at(folder), readOrdinary)
    t.ok((await handle.stat()).isDirectory())
    await t.rejects(handle.read(Buffer.alloc(1), 0, 1, 0), { code: 'EISDIR' })
    await t.rejects(handle.readFile(), { code: 'EISDIR' })
    await handle.close()
    await (await fs.open(at(folder), readOrdinary | constants.O_DIRECTORY)).close()
  }
  await t.rejects(fs.open(at('folder/file'), constants.O_RDONLY | constants.O_DIRECTORY), { code: 'ENOTDIR' })
  await t.rejects(fs.readdir(at('folder/file')), { code: 'ENOTDIR' })
  for (const flags of ['a', 'wx', 'r+']) await t.rejects(fs.open(at(day), flags), { code: 'EISDIR' })
})

test('to make or sync a folder asks nothing of the store', async (t) => {
  const { fs, at, asked } = await storeFor(t)
  t.strictSame(await asked(async () => {
    await fs.mkdir(at('attachments'))
    await fs.mkdir(at(day), { recursive: true })
    const handle = await fs.open(at(day), 'r')
    await handle.sync()
    await handle.close()
  }), [])
  await fs.rmdir(at(day))
})

test('folders are listed with files and folders, and of a file that grows only its name', async (t) => {
  const { fs, root, at, put } = await storeFor(t)
  put('upload-gateway.json', '{}')
  put('erasures.ndjson.parts/1', 'x')
  put('tombstones.ndjson', 'x')
  put('tombstones.ndjson.parts/1', 'x')
  put('notes.parts/1', 'x')
  put(`${day}/a`, 'x')
  put('staging/x/heartbeat.json', 'x')
  await mkdir(join(root, 'cache'))
  const entries = await fs.readdir(root, { withFileTypes: true })
  t.strictSame(entries.map((entry) => `${entry.isFile() ? 'file' : 'folder'} ${entry.name}`).sort(), ['file erasures.ndjson', 'file tombstones.ndjson', 'file upload-gateway.json', 'folder attachments', 'folder notes.parts', 'folder staging'])
  t.notOk(entries.some((entry) => entry.isSymbolicLink() || entry.isFIFO() || entry.isSocket() || entry.isBlockDevice() || entry.isCharacterDevice()))
  t.strictSame([...new Set(entries.map(({ parentPath }) => parentPath))], [root])
  t.strictSame(await fs.readdir(at('attachments/2026')), ['11'])
  t.strictSame(await fs.readdir(at(day)), ['a'])
  t.strictSame(await fs.readdir(at('avatars')), [])
  await t.rejects(fs.rmdir(at(day)), { code: 'ENOTEMPTY' })
})

test('a small file is put as a whole when it is to be durable, and a new one replaces nothing', async (t) => {
  const { fs, at, text, asked } = await storeFor(t)
  const handle = await fs.open(at('restore-unfinished.json'), 'wx', 0o640)
  await handle.writev([Buffer.from('hel'), Buffer.from('lo')], 0)
  t.equal(text('restore-unfinished.json'), undefined)
  t.equal((await handle.stat()).size, 5)
  await handle.sync()
  t.equal(text('restore-unfinished.json'), 'hello')
  await handle.write('!', 4)
  t.strictSame(await asked(() => handle.close()), ['putBytes restore-unfinished.json'])
  t.equal(text('restore-unfinished.json'), 'hell!')

  const second = await fs.open(at('restore-unfinished.json'), 'wx')
  await second.write('x')
  await t.rejects(second.sync(), { code: 'EEXIST' })
  t.strictSame(await asked(() => second.close()), [], 'it is not tried again')
  t.equal(text('restore-unfinished.json'), 'hell!')

  await t.rejects((await fs.open(at('large'), 'wx')).writev([Buffer.alloc(9 * 1024 ** 2)]), { code: 'EFBIG' })
  await t.rejects(fs.open(at(blob), 'r+'), { code: 'ENOTSUP' }, 'a blob is never changed')
  for (const flags of ['w', 'as', constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC]) await t.rejects(fs.open(at('x'), flags), { code: 'ENOTSUP' })
  await t.rejects(fs.open(at('notes'), 'a'), { code: 'ENOTSUP' })
})

test('a heartbeat is rewritten in its place, and is seen by all who use the store', async (t) => {
  const { fs, root, at, text } = await storeFor(t)
  await mkdir(join(root, 'staging', 'x'), { recursive: true })
  const inode = (await fs.stat(at('staging/x'))).ino
  const handle = await fs.open(at('staging/x/heartbeat.json'), 'wx')
  await handle.write('{"beat":0}')
  await handle.close()
  const again = await fs.open(at('staging/x/heartbeat.json'), 'r+')
  await again.write('{"beat":1}', 0)
  await again.close()
  t.equal(text('staging/x/heartbeat.json'), '{"beat":1}')
  t.strictSame(await readdir(join(root, 'staging/x')), [])

  const there = await storeFor(t)
  there.put('staging/x/heartbeat.json', '{}')
  await mkdir(join(there.root, 'staging', 'y'), { recursive: true })
  await writeFile(join(there.root, 'staging/y/upload'), 'x')
  t.strictSame((await there.fs.readdir(there.at('staging'))).sort(), ['x', 'y'])
  t.strictSame(await there.fs.readdir(there.at('staging/y')), ['upload'])
  t.match(await there.fs.stat(there.at('staging/x')), { ino: inode }, 'wherever it is seen from')
  await there.fs.rm(there.at('staging/x'), { recursive: true, force: true })
  await there.fs.rm(there.at('staging/y'), { recursive: true, force: true })
  t.strictSame([there.objects.keys(), await readdir(join(there.root, 'staging'))], [[], []])
})

test('while the store does not answer, nobody is taken to be alone', async (t) => {
  const { fs, at, objects } = await storeFor(t)
  t.strictSame(await fs.readdir(at('staging')), [])
  objects.before = () => { throw Object.assign(new Error('away'), { code: 'EIO' }) }
  await t.rejects(fs.readdir(at('staging')), { code: 'EIO' })
})

test('a file of this machine is renamed into the store, and a blob only where there is none', async (t) => {
  const { fs, root, at, text, put } = await storeFor(t)
  await mkdir(join(root, 'staging', 'x'), { recursive: true })
  const stage = (bytes: string) => writeFile(join(root, 'staging/x/file'), bytes)
  await stage('hello')
  await fs.rename(at('staging/x/file'), at(blob))
  t.equal(text(blob), 'hello')
  t.strictSame(await readdir(join(root, 'staging/x')), [])
  await stage('other')
  await t.rejects(fs.rename(at('staging/x/file'), at(blob)), { code: 'EEXIST' })
  t.equal(await readFile(join(root, 'staging/x/file'), 'utf8'), 'other')
  put('restore-unfinished.json', 'old')
  await fs.rename(at('staging/x/file'), at('restore-unfinished.json'))
  t.equal(text('restore-unfinished.json'), 'other')
  put('erasures.ndjson.parts/1', 'old')
  await stage('whole')
  await fs.rename(at('staging/x/file'), at('erasures.ndjson'))
  t.equal(await fs.readFile(at('erasures.ndjson'), 'utf8'), 'whole')
})

test('an object is renamed to another key; into a file of this machine it is not, nor are folders', async (t) => {
  const { fs, root, at, text, put } = await storeFor(t)
  put(blob, 'hello')
  await fs.rename(at(blob), at(blob))
  await fs.rename(at(blob), at(`${blob}.damaged`))
  t.strictSame([text(blob), text(`${blob}.damaged`)], [undefined, 'hello'])
  put('empty', '')
  await fs.rename(at('empty'), at('still-empty'))
  t.strictSame([text('empty'), text('still-empty')], [undefined, ''])
  await mkdir(join(root, 'database'))
  await t.rejects(fs.rename(at('still-empty'), at('database/file')), { code: 'ENOTSUP' })
  t.equal(text('still-empty'), '')
  await writeFile(join(root, 'database/file'), 'x')
  await fs.rename(at('database/file'), at('database/other'))
  await t.rejects(fs.rename(at('staging/x'), at('staging/y')), { code: 'ENOTSUP' })
  await t.rejects(fs.rename(root, at('y')), { code: 'ENOTSUP' })
  t.strictSame(await readdir(join(root, 'staging')), [])
})

test('removing takes one object, or all below a name', async (t) => {
  const { fs, at, put, objects } = await storeFor(t)
  for (const key of ['a', 'b/1', 'b/2/3', 'bc', 'erasures.ndjson', 'erasures.ndjson.parts/1']) put(key, 'x')
  await fs.unlink(at('a'))
  await fs.rm(at('b'), { recursive: true })
  await fs.rm(at('erasures.ndjson'))
  t.strictSame(objects.keys(), ['bc'])
  put('d/1', 'x')
  await fs.rm(at('d'), { recursive: true, force: true })
  t.strictSame(objects.keys(), ['bc'])
})

test('what is of this machine alone is as it was', async (t) => {
  const { fs, root, asked, at } = await storeFor(t)
  t.strictSame(await asked(async () => {
    await fs.mkdir(at('cache'))
    await fs.mkdir(at('cache/x'), { recursive: true })
    const handle = await fs.open(at('cache/x/file'), 'wx', 0o640)
    await handle.writeFile('hello')
    await handle.close()
    t.equal(await fs.readFile(at('cache/x/file'), 'utf8'), 'hello')
    t.strictSame(await fs.readdir(at('cache/x')), ['file'])
    t.strictSame((await fs.readdir(at('cache/x'), { withFileTypes: true })).map((entry) => entry.isFile()), [true])
    t.ok((await fs.stat(at('cache/x/file'))).isFile())
    await fs.unlink(at('cache/x/file'))
    await fs.rmdir(at('cache/x'))
    await fs.rm(at('cache'), { recursive: true })
    t.ok((await fs.stat(root)).isDirectory())
    t.equal(await fs.realpath(root), root)
  }), [])
  t.strictSame((await fs.statfs(at('attachments'))).type, (await fs.statfs(root)).type)
})
