import { mkdir, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { silent as progress } from '../../../src/operations/progress.ts'
import { drill } from '../../../src/operations/restore/drill.ts'
import { refuseInside } from '../../../src/operations/restore/inside.ts'
import { restore } from '../../../src/operations/restore/restore.ts'
import { temporaryFolder } from '../../helper.ts'
import { lost } from '../fixtures/furnished.ts'

t.test('neither into the backup nor below the volume, whatever links lead there, and whether it is there yet or not', async (t) => {
  const folder = await temporaryFolder(t)
  const [dir, uploadsDir] = [join(folder, 'backup'), join(folder, 'uploads')]
  await mkdir(dir)
  await symlink(dir, join(folder, 'link'))
  const asked = (root: string) => refuseInside({ root: join(folder, root), dir, uploadsDir })
  for (const root of ['backup', 'backup/a/b', 'link', 'link/a', 'elsewhere/../backup/a']) await t.rejects(asked(root), { name: 'Refusal', message: /is in the backup/ }, root)
  for (const root of ['uploads/a', 'uploads/..a']) await t.rejects(asked(root), { name: 'Refusal', message: /is on the uploads volume/ }, root)
  await symlink(join(folder, 'elsewhere'), uploadsDir)
  await mkdir(join(folder, 'elsewhere'))
  await t.rejects(asked('elsewhere/a'), { name: 'Refusal', message: /is on the uploads volume/ })
  for (const root of ['uploads', 'elsewhere', 'backup-2', 'a/b', '.']) await asked(root)
  await refuseInside({ root: '/', dir, uploadsDir })
})

t.test('nothing is made there', async (t) => {
  const { config, dir, folder } = await lost(t)
  await mkdir(folder)
  for (const run of [restore, drill]) {
    for (const into of [join(dir, 'a'), join(folder, 'a')]) {
      await t.rejects(run(config, dir, { into, progress }), { name: 'Refusal', message: /Name a folder elsewhere with --into/ })
      await t.rejects(stat(into), { code: 'ENOENT' })
    }
  }
})
