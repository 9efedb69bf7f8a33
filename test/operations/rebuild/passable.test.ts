import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { refuseBlocked, refuseBlockedKinds } from '../../../src/operations/rebuild/passable.ts'
import { fileSystem } from '../../../src/storage/fs.ts'

t.test('what stands in the place of a year, a month or a day is named', (t) => {
  for (const path of ['avatars/2026', 'attachments/2026/03', 'attachments/2026/03/04']) {
    for (const what of ['symbolic link', 'file'] as const) t.throws(() => refuseBlocked('/srv', [{ path: 'avatars/notes.txt', what: 'file' }, { path, what }]), { name: 'Refusal', message: `/srv/${path} is a ${what}, where` })
  }
  t.end()
})

t.test('what stands elsewhere, or has another name, is in nobody\'s way', (t) => {
  for (const path of ['2026', 'staging/2026', 'avatars-old/2026', 'avatars/26', 'avatars/2026/march', 'avatars/2026/03/04/05']) refuseBlocked('/srv', [{ path, what: 'symbolic link' }])
  refuseBlocked('/srv', [{ path: 'avatars/2026', what: 'folder' }])
  t.end()
})

t.test('the folder of a kind may be a link, but not one that leads to no folder', async (t: Test) => {
  const root = t.testdir({ elsewhere: {} })
  const check = () => refuseBlockedKinds(fileSystem, root)
  await check()
  mkdirSync(join(root, 'avatars'))
  symlinkSync(join(root, 'elsewhere'), join(root, 'attachments'))
  await check()
  rmSync(join(root, 'elsewhere'), { recursive: true })
  await t.rejects(check(), { name: 'Refusal', message: /attachments is a symbolic link that leads to no folder/ })
  rmSync(join(root, 'attachments'))
  writeFileSync(join(root, 'attachments'), '')
  await t.rejects(check(), { name: 'Refusal', message: /attachments is a file, where/ })
})
