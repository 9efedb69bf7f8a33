import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'tap'
import { NotOrdinary, openForAppending, readOrdinaryText } from '../../src/storage/ordinary-file.ts'
import { createFaults } from '../fixtures/faults.ts'
import { folderFor, openBelow } from './fixtures/volume.ts'

const { fs, inject } = createFaults()

test('an ordinary file is read, also through a link', async (t) => {
  const root = await folderFor(t)
  await writeFile(join(root, 'a'), 'Gr\u00fc\u00dfe')
  await symlink('a', join(root, 'b'))
  for (const name of ['a', 'b']) t.equal(await readOrdinaryText(fs, join(root, name)), 'Gr\u00fc\u00dfe')
  await t.rejects(readOrdinaryText(fs, join(root, 'none')), { code: 'ENOENT' })
  inject({ on: 'readFile', errno: 'EIO' })
  await t.rejects(readOrdinaryText(fs, join(root, 'a')), { code: 'EIO' })
  t.strictSame(openBelow(root), [])
})

test('nothing else is, and nobody waits for it', { skip: process.platform === 'win32' && 'there are no pipes' }, async (t) => {
  const root = await folderFor(t)
  await mkdir(join(root, 'folder'))
  execFileSync('mkfifo', [join(root, 'pipe')])
  const server = createServer().listen(join(root, 'socket'))
  await once(server, 'listening')
  t.teardown(() => server.close())
  for (const name of ['folder', 'pipe', 'socket']) {
    const path = join(root, name)
    await t.rejects(readOrdinaryText(fs, path), new NotOrdinary(path), name)
    await t.rejects(openForAppending(fs, path, 0o640), name === 'folder' ? { code: 'EISDIR' } : new NotOrdinary(path), name)
  }
  t.strictSame(openBelow(root), [])
})

test('a file to append to is made when absent, and goes on where it ended', async (t) => {
  const path = join(await folderFor(t), 'a')
  for (const text of ['one', 'two']) {
    const handle = await openForAppending(fs, path, 0o640)
    await handle.write(text)
    await handle.close()
  }
  t.equal(await readFile(path, 'utf8'), 'onetwo')
})
