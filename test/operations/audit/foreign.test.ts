import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { mendForeign } from '../../../src/operations/audit/foreign.ts'
import { fileSystem } from '../../../src/storage/fs.ts'
import { folderFor } from '../../storage/fixtures/volume.ts'

async function setUp (t: Test) {
  const root = await folderFor(t)
  const plan = (path: string, { isAllowed = true, wantedSizes = new Set<number>() } = {}) => mendForeign({ fs: fileSystem, root }, path, { isAllowed, wantedSizes })
  const remove = async (path: string) => {
    const mending = await plan(path)
    if ('mend' in mending) await mending.mend()
    return mending
  }
  return { root, plan, remove, at: (path: string) => join(root, path) }
}

test('files, links, pipes and empty folders go', async (t) => {
  const { at, remove, root } = await setUp(t)
  const precious = join(await folderFor(t), 'precious')
  await writeFile(precious, '')
  await writeFile(at('file'), '')
  await symlink(precious, at('link'))
  await symlink(root, at('loop'))
  execFileSync('mkfifo', [at('pipe')])
  await mkdir(at('folder'))
  for (const name of ['file', 'link', 'loop', 'pipe', 'folder']) {
    t.match(await remove(name), { action: 'Remove it.', done: 'It was removed.' })
    t.equal(existsSync(at(name)), false, name)
  }
  t.ok(existsSync(precious))
  t.match(await remove('file'), { isRight: true })
})

test('folders that hold anything stay, and what is behind a link', async (t) => {
  const { at, plan } = await setUp(t)
  await mkdir(at('folder'))
  await writeFile(at('folder/file'), '')
  t.match(await plan('folder'), { left: /is not empty/ })
  await symlink(at('folder'), at('link'))
  t.match(await plan('link/file'), { left: /link is a link or no folder/ })
})

test('nothing goes unasked, nor what may be all that is left of something', async (t) => {
  const { at, plan } = await setUp(t)
  await writeFile(at('file'), 'hello')
  t.match(await plan('file', { isAllowed: false }), { left: /--remove-foreign/ })
  t.match(await plan('file', { wantedSizes: new Set([5]) }), { left: /may be what is left/ })
  t.match(await plan('file', { wantedSizes: new Set([4]) }), { action: 'Remove it.', done: 'It was removed.' })
})

test('a link in the place of a folder of uploads stays, wherever it leads', async (t) => {
  const { at, plan } = await setUp(t)
  const elsewhere = await folderFor(t)
  await mkdir(at('avatars/2025/11'), { recursive: true })
  for (const path of ['avatars/2026', 'avatars/2025/12', 'avatars/2025/11/30']) {
    for (const target of [elsewhere, join(elsewhere, 'gone')]) {
      await symlink(target, at(path))
      t.match(await plan(path), { left: /verify and rebuild need a real folder there/ }, path)
      await unlink(at(path))
    }
  }
  await symlink(elsewhere, at('avatars/2025/11/30x'))
  t.match(await plan('avatars/2025/11/30x'), { action: 'Remove it.' })
})
