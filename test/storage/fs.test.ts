import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { fileSystem, folderName, homeName, homePlace, homeRemedy } from '../../src/storage/fs.ts'
import { temporaryFolder } from '../helper.ts'
import { createMemoryObjects } from './objects/memory.ts'

test('a home is named by its folder, or by its object store', (t) => {
  const objects = createMemoryObjects()
  t.equal(homePlace({}, '/uploads'), '/uploads')
  t.equal(homePlace({ objects }, '/uploads'), objects.name)
  t.equal(homeName({}, '/uploads'), 'UPLOADS_DIR /uploads')
  t.equal(homeName({ objects }, '/uploads'), `STORAGE_URL ${objects.name}`)
  t.equal(folderName({ objects }, '/uploads'), 'UPLOADS_DIR /uploads', 'beside a store there is a folder too')
  t.equal(homeRemedy({ objects }, 'it'), 'Set STORAGE_URL to where it is')
  t.end()
})

test('one that an option names is named by that', (t) => {
  const objects = createMemoryObjects()
  t.equal(homeName({ setting: '--to' }, '/uploads'), '--to /uploads')
  t.equal(folderName({ setting: '--to' }, '/uploads'), '--to /uploads')
  t.equal(homeName({ objects, setting: '--to' }, '/uploads'), `--to ${objects.name}`)
  t.equal(homeRemedy({ objects, setting: '--to' }, 'it'), 'Set --to to where it is')
  t.end()
})

test('a small file is read as a whole; of one that is longer than was said, a byte more comes', async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'file')
  await writeFile(path, 'hello')
  const read = async (from: string, size: number) => String(await fileSystem.readWhole?.(from, size))
  t.equal(await read(path, 5), 'hello')
  t.equal(await read(path, 9), 'hello')
  t.equal(await read(path, 3), 'hell')
  t.equal(await read(path, 0), 'h')
  await writeFile(path, '')
  t.equal(await read(path, 0), '')
  await symlink(path, join(folder, 'link'))
  await mkdir(join(folder, 'folder'))
  await t.rejects(read(join(folder, 'none'), 5), { code: 'ENOENT' })
  await t.rejects(read(join(folder, 'link'), 5), { code: 'ELOOP' })
  await t.rejects(read(join(folder, 'folder'), 5), { code: 'EISDIR' })
})

test('a file is opened to be read in parts, and nothing else is', async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'file')
  await writeFile(path, 'hello')
  const opened = (from: string) => fileSystem.openFile?.(from) ?? Promise.reject(new Error('it cannot'))
  const file = await opened(path)
  t.equal(file.size, 5)
  const read = (length: number, position: number) => new Promise((resolve, reject) => {
    const into = Buffer.alloc(length)
    file.read(into, length, position, (error, count) => error === null ? resolve(into.toString('latin1', 0, count)) : reject(error))
  })
  t.strictSame(await Promise.all([read(2, 1), read(9, 3), read(4, 5)]), ['el', 'lo', ''])
  file.close()
  await symlink(path, join(folder, 'link'))
  await t.rejects(opened(join(folder, 'none')), { code: 'ENOENT' })
  await t.rejects(opened(join(folder, 'link')), { code: 'ELOOP' })
  await t.rejects(opened(folder), { code: 'EISDIR' })
})
