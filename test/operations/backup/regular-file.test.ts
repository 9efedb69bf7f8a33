import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hashFile, hashing, withRegular } from '../../../src/operations/backup/regular-file.ts'
import { fileSystem as fs } from '../../../src/storage/fs.ts'
import { sidecarFor } from '../../storage/fixtures/volume.ts'

t.test('an ordinary file is hashed, whatever its size', async (t) => {
  const folder = t.testdir()
  for (const bytes of [Buffer.alloc(0), Buffer.from('x'), Buffer.alloc(3 * 1024 ** 2 + 1, 'y')]) {
    writeFileSync(join(folder, 'file'), bytes)
    const { size, sha256 } = sidecarFor(bytes)
    const seen: number[] = []
    t.same(await hashFile(fs, join(folder, 'file'), (chunk) => { seen.push(chunk.length) }), { size, sha256 })
    t.equal(seen.reduce((sum, length) => sum + length, 0), size)
  }
})

t.test('a file that has grown since is read to its end', async (t) => {
  const folder = t.testdir({ file: 'longer than expected' })
  const { size } = await withRegular(fs, join(folder, 'file'), (handle) => hashing(handle, 3))
  t.equal(size, 20)
})

t.test('links, pipes and folders are not opened', async (t) => {
  const folder = t.testdir({ file: 'x' })
  symlinkSync(join(folder, 'file'), join(folder, 'link'))
  mkdirSync(join(folder, 'folder'))
  execFileSync('mkfifo', [join(folder, 'pipe')])
  for (const name of ['link', 'folder', 'pipe']) await t.rejects(hashFile(fs, join(folder, name)), { name: 'NotRegular', message: /is not an ordinary file/ })
  await t.rejects(hashFile(fs, join(folder, 'none')), { code: 'ENOENT' })
})
