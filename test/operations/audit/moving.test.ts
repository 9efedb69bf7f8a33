import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { createMoving } from '../../../src/operations/audit/moving.ts'
import { placeFor } from '../fixtures/place.ts'

test('a file is durable before it gets its name, and both folders after', async (t) => {
  const { root, workplace, faults } = await placeFor(t)
  await writeFile(join(root, 'from'), 'hello')
  await createMoving(workplace).move(join(root, 'from'), join(root, 'avatars/2026/01/01/to'))
  t.equal(await readFile(join(root, 'avatars/2026/01/01/to'), 'utf8'), 'hello')
  const steps = faults.calls.filter(({ on }) => on === 'sync' || on === 'rename').map(({ on, path }) => `${on} ${path.replaceAll(root, '')}`)
  const renamed = steps.indexOf('rename /from → /avatars/2026/01/01/to')
  t.same(steps.slice(renamed + 1), ['sync /avatars/2026/01/01', 'sync '])
  t.equal(steps[0], 'sync /from')
})

test('no name is ever taken from a file', async (t) => {
  const { root, workplace } = await placeFor(t)
  for (const name of ['a', 'b', 'a.damaged', 'a.damaged-2']) await writeFile(join(root, name), name)
  const moving = createMoving(workplace)
  await t.rejects(moving.move(join(root, 'a'), join(root, 'b')), { message: /There is something at/ })
  t.equal(await moving.aside(join(root, 'a')), join(root, 'a.damaged-3'))
  t.equal(await readFile(join(root, 'a.damaged-3'), 'utf8'), 'a')
  t.equal(existsSync(join(root, 'a')), false)
})

test('an fsync that fails is remembered by the volume', async (t) => {
  const { root, workplace, faults, storage } = await placeFor(t)
  await writeFile(join(root, 'from'), 'hello')
  faults.inject({ on: 'sync', path: /from/, errno: 'EIO' })
  await t.rejects(createMoving(workplace).move(join(root, 'from'), join(root, 'to')), { code: 'EIO' })
  t.ok(existsSync(join(root, 'from')))
  await t.rejects(storage.probe.check(), { code: 'STORAGE_UNAVAILABLE' })
})
