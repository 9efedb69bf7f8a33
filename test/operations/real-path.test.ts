import { mkdirSync, realpathSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { realPath } from '../../src/operations/real-path.ts'

t.test('a link is what it leads to, and what is not there is itself', async (t) => {
  const folder = realpathSync(t.testdir())
  mkdirSync(join(folder, 'place'))
  symlinkSync(join(folder, 'place'), join(folder, 'link'))
  t.equal(realPath(join(folder, 'link')), join(folder, 'place'))
  t.equal(realPath(join(folder, 'absent')), join(folder, 'absent'))
})
