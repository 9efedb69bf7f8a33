import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { backup } from '../../../src/operations/backup/backup.ts'
import { silent } from '../../../src/operations/progress.ts'
import { fileSystem } from '../../../src/storage/fs.ts'
import { furnished } from '../fixtures/furnished.ts'

async function setUp (t: Test) {
  const { config, dir, attach } = await furnished(t)
  await attach('ada', 'one')
  const said: string[] = []
  const progress = { ...silent, say: (message: string) => { said.push(message) } }
  return { dir, said, make: async (keep?: number) => backup(config, { to: { dir }, progress, ...(keep !== undefined && { keep }) }), names: () => fileSystem.readdir(join(dir, 'snapshots')) }
}

t.test('the newest are kept, and older ones go', async (t) => {
  const { make, names } = await setUp(t)
  const made = [await make(), await make(), await make()].map(({ snapshot }) => snapshot)
  const { snapshot, removedSnapshots } = await make(2)
  t.same(removedSnapshots, made.slice(0, 2))
  t.same(await names(), [made[2], snapshot])
  t.same((await make(9)).removedSnapshots, [])
})

t.test('one whose files are damaged does not count, and costs no whole one', async (t) => {
  for (const damage of [(root: string) => writeFile(join(root, 'database.sqlite'), 'x'), (root: string) => rm(join(root, 'manifest.ndjson')), (root: string) => writeFile(join(root, 'snapshot.json'), '{}')]) {
    const { dir, said, make, names } = await setUp(t)
    const whole = await make()
    const damaged = await make()
    await damage(join(dir, 'snapshots', damaged.snapshot))
    const third = await make(2)
    t.same(third.removedSnapshots, [])
    t.match(said.join('\n'), new RegExp(`The snapshot ${damaged.snapshot} is damaged, so it is not one of the 2 that are kept`))
    t.same(await names(), [whole.snapshot, damaged.snapshot, third.snapshot])
    t.same((await make(2)).removedSnapshots, [whole.snapshot, damaged.snapshot], 'with two whole ones after it, it goes')
  }
})
