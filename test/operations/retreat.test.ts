import { existsSync } from 'node:fs'
import t from 'tap'
import { silent } from '../../src/operations/progress.ts'
import { createRetreat } from '../../src/operations/retreat.ts'
import { createFaults } from '../fixtures/faults.ts'

t.test('its folder is made when it is needed, and goes with it', async (t) => {
  const { fs, calls } = createFaults()
  const unused = createRetreat(fs, silent)
  await unused.close()
  t.strictSame(calls, [])
  const retreat = createRetreat(fs, silent)
  const folder = await retreat.folder()
  t.equal(await retreat.home(), folder)
  t.ok(existsSync(folder))
  await retreat.close()
  t.notOk(existsSync(folder))
})

t.test('where it cannot be made, closing it hides nothing', async (t) => {
  const faults = createFaults()
  const retreat = createRetreat(faults.fs, silent)
  faults.inject({ on: 'mkdir', errno: 'ENOSPC' })
  await t.rejects(retreat.folder(), { code: 'ENOSPC' })
  await retreat.close()
})
