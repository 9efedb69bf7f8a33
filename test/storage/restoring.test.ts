import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { fileSystem as fs } from '../../src/storage/fs.ts'
import { refuseUnfinishedRestore, restoreRole } from '../../src/storage/restoring.ts'
import { gatewayRole } from '../../src/storage/volume/instance.ts'
import { createFaults } from '../fixtures/faults.ts'

t.test('only a restore may go on where a restore is not done', async (t) => {
  const root = t.testdir()
  await refuseUnfinishedRestore(fs, root, gatewayRole)
  await refuseUnfinishedRestore(fs, join(root, 'none'), gatewayRole)
  await writeFile(join(root, 'restore-unfinished.json'), '')
  await t.rejects(refuseUnfinishedRestore(fs, root, gatewayRole), { name: 'ConfigError', message: /not restored to the end yet.*run it again/ })
  await refuseUnfinishedRestore(fs, root, restoreRole)
})

t.test('a mark that cannot be looked for is not taken for none', async (t) => {
  const { fs, inject } = createFaults()
  inject({ on: 'readFile', errno: 'EIO' })
  await t.rejects(refuseUnfinishedRestore(fs, t.testdir(), gatewayRole), { code: 'EIO' })
})
