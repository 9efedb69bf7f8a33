import { execFileSync } from 'node:child_process'
import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { collect } from '../../fixtures/collect.ts'
import { countFiles, oldFolder, walk } from '../../../src/operations/import/tree.ts'
import { temporaryFolder } from '../../helper.ts'

test('everything in a tree is told in order, and no link is followed', async (t) => {
  const root = await temporaryFolder(t)
  await mkdir(join(root, 'b', 'c'), { recursive: true })
  await mkdir(join(root, 'empty'))
  await mkdir(join(root, '.git'))
  for (const path of ['a', '.dot', '.git/config', 'new\nline', 'b/z', 'b/c/ü', 'b/..x']) await writeFile(join(root, path), 'x')
  await symlink(root, join(root, 'b', 'loop'))
  execFileSync('mkfifo', [join(root, 'pipe')])
  await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff])]), 'x')
  const entries = await collect(walk(root))
  t.strictSame(entries.map(({ path, fault }) => [path, fault?.code]), [['.dot', 'hidden'], ['.git/config', 'hidden'], ['a', undefined], ['b/..x', 'hidden'], ['b/c/ü', undefined], ['b/loop', 'symlink'], ['b/z', undefined], ['new\nline', undefined], ['pipe', 'special'], ['\uFFFD', 'bad-path']])
  t.equal(await countFiles(root), 10)
  t.match(await collect(walk(join(root, 'none'))), [{ path: '', fault: { code: 'unreadable', reason: /ENOENT/ } }])
})

test('the folder must be one, and apart from the volume', async (t) => {
  const home = await realpath(await temporaryFolder(t))
  const [old, volume] = [join(home, 'old'), join(home, 'old', 'uploads')]
  await mkdir(volume, { recursive: true })
  await mkdir(join(home, 'other'))
  await symlink(join(home, 'other'), join(home, 'link'))
  await writeFile(join(home, 'file'), '')
  t.equal(await oldFolder(join(home, 'link'), volume), join(home, 'other'))
  for (const [folder, message] of [['none', /no folder that can be read\./], ['file', /no folder that can be read \(ENOTDIR\)/], ['old', /lie in one another/], ['old/uploads', /lie in one another/]] as const) {
    await t.rejects(oldFolder(join(home, folder), volume), { name: 'Refusal', message }, folder)
  }
  await mkdir(join(volume, 'below'))
  await t.rejects(oldFolder(join(volume, 'below'), volume), { message: /lie in one another/ })
  t.ok(old)
})
