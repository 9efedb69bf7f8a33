import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'tap'
import { fileSystem } from '../../../src/storage/fs.ts'
import { detour, inspect } from '../../../src/storage/volume/inspect.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { folderFor } from '../fixtures/volume.ts'

test('a file is told with its size, and, when asked, its hash or its bytes', async (t) => {
  const path = join(await folderFor(t), 'file')
  const bytes = Buffer.alloc(2_500_000, 'x')
  await writeFile(path, bytes)
  const plain = await inspect(fileSystem, path)
  t.match(plain, { is: 'file', size: 2_500_000, changedAtMs: Number, sha256: undefined, bytes: undefined })
  t.match(await inspect(fileSystem, path, { isHashed: true }), { is: 'file', size: 2_500_000, sha256: createHash('sha256').update(bytes).digest('hex') })
  t.match(await inspect(fileSystem, path, { maxBytes: 2_500_000 }), { bytes })
  t.match(await inspect(fileSystem, path, { maxBytes: 2_499_999 }), { bytes: undefined })
})

test('links are not followed, and pipes and sockets not waited for', async (t) => {
  const folder = await folderFor(t)
  await symlink('/etc/passwd', join(folder, 'link'))
  await symlink('nowhere', join(folder, 'dangling'))
  execFileSync('mkfifo', [join(folder, 'pipe')])
  const server = createServer().listen(join(folder, 'socket'))
  t.teardown(() => server.close())
  await new Promise((resolve) => { server.once('listening', resolve) })
  const is = async (name: string) => (await inspect(fileSystem, join(folder, name), { isHashed: true })).is
  t.equal(await is('link'), 'symbolic link')
  t.equal(await is('dangling'), 'symbolic link')
  t.equal(await is('pipe'), 'special file')
  t.equal(await is('socket'), 'special file')
  t.equal(await is(''), 'folder')
  t.equal(await is('none'), 'nothing')
  t.equal(await is('none/none'), 'nothing')
})

test('what cannot be read is told with the reason', async (t) => {
  const path = join(await folderFor(t), 'file')
  await writeFile(path, 'hello')
  const faults = createFaults()
  faults.inject({ on: 'read', errno: 'EIO', forever: true })
  t.match(await inspect(faults.fs, path, { isHashed: true }), { is: 'unreadable', reason: /EIO/ })
  faults.inject({ on: 'open', errno: 'EACCES' })
  t.match(await inspect(faults.fs, path), { is: 'unreadable', reason: /EACCES/ })
})

test('it ends when it is told to', async (t) => {
  const path = join(await folderFor(t), 'file')
  await writeFile(path, 'hello')
  await t.rejects(inspect(fileSystem, path, { isHashed: true, signal: AbortSignal.abort() }), { name: 'AbortError' })
})

test('a folder that is reached through a link, or through a file, is told', async (t) => {
  const root = await folderFor(t)
  await mkdir(join(root, 'avatars/2026/01'), { recursive: true })
  await mkdir(join(root, 'elsewhere'))
  await symlink(join(root, 'elsewhere'), join(root, 'avatars/2025'))
  await writeFile(join(root, 'avatars/2024'), '')
  const through = (path: string) => detour(fileSystem, root, join(root, path))
  t.equal(await through('avatars/2026/01'), undefined)
  t.equal(await through('avatars/2026/02/03'), undefined, 'what is not there leads nowhere else')
  t.equal(await through('avatars/2025/01'), join(root, 'avatars/2025'))
  t.equal(await through('avatars/2024/01'), join(root, 'avatars/2024'))
})
