import { execFileSync } from 'node:child_process'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { appendFile, chmod, mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { collect } from '../fixtures/collect.ts'
import { isPlainPath, openOldFile, readOldFile } from '../../src/storage/old-folder.ts'
import { temporaryFolder } from '../helper.ts'

const folder = async (t: Test) => realpath(await temporaryFolder(t))

test('a regular file is read whole, wherever below the folder', async (t) => {
  const root = await folder(t)
  await mkdir(join(root, 'a', 'b'), { recursive: true })
  const bytes = Buffer.alloc(600_000, 7)
  await writeFile(join(root, 'a', 'b', 'back\\slash %41'), bytes)
  const file = await openOldFile(root, 'a/b/back\\slash %41')
  t.match(file, { size: 600_000, mtime: Date })
  t.ok(Buffer.concat(await collect(readOldFile(file))).equals(bytes))
  await file.handle.close()
})

test('nothing else is opened, and nothing is waited for', async (t) => {
  const root = await folder(t)
  const outside = await folder(t)
  await writeFile(join(outside, 'secret'), 'secret')
  await mkdir(join(root, 'folder'))
  await writeFile(join(root, 'folder', 'file'), 'x')
  await symlink(join(outside, 'secret'), join(root, 'link'))
  await symlink(outside, join(root, 'way out'))
  await symlink(join(root, 'folder'), join(root, 'way in'))
  await symlink('loop', join(root, 'loop'))
  execFileSync('mkfifo', [join(root, 'fifo')])
  const socket = createServer().listen(join(root, 'socket'))
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  for (const [path, fault] of [
    ['none', 'missing'], ['folder/file/x', 'missing'], ['x'.repeat(300), 'missing'], ['link', 'symlink'], ['loop', 'symlink'], ['way out/secret', 'symlink'], ['way in/file', 'symlink'],
    ['folder', 'special'], ['fifo', 'special'], ['socket', 'special'], ['../x', 'bad-path'], ['folder/../link', 'bad-path'], ['/folder/file', 'bad-path'], ['folder//file', 'bad-path'], ['', 'bad-path'], ['a\0b', 'bad-path'],
  ] as const) await t.rejects(openOldFile(root, path), { name: 'OldFileRefused', fault, message: String }, path.slice(0, 20))
})

test('what may not be read says so', { skip: process.getuid?.() === 0 && 'root reads everything' }, async (t) => {
  const root = await folder(t)
  await writeFile(join(root, 'file'), 'x')
  await chmod(join(root, 'file'), 0)
  await t.rejects(openOldFile(root, 'file'), { name: 'OldFileRefused', fault: 'unreadable' })
})

test('a file that is written while it is read is not taken for whole; nor one that fails', async (t) => {
  const root = await folder(t)
  await writeFile(join(root, 'file'), 'x')
  const file = await openOldFile(root, 'file')
  await appendFile(join(root, 'file'), 'y')
  await t.rejects(collect(readOldFile(file)), { name: 'OldFileRefused', fault: 'changing' })
  await file.handle.close()
  await t.rejects(collect(readOldFile(file)), { name: 'OldFileRefused', fault: 'unreadable' })
})

test('paths of names alone are plain', (t) => {
  for (const path of ['a', '..a/b', '.hidden', 'a\\..\\b']) t.ok(isPlainPath(path), path)
  t.end()
})
