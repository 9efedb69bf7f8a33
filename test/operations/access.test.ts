import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { denialAt, refuseDenied, refuseIfDenied } from '../../src/operations/access.ts'
import { createFaults, errnoError } from '../fixtures/faults.ts'

t.test('what this user may not open is told apart from what is missing or broken', async (t) => {
  const { fs, inject } = createFaults()
  const file = join(t.testdir(), 'file')
  t.equal(await denialAt(fs, file), undefined, 'nothing is there')
  writeFileSync(file, '')
  t.equal(await denialAt(fs, file), undefined)
  inject({ on: 'open', errno: 'EIO' })
  t.equal(await denialAt(fs, file), undefined, 'a broken disk denies nobody')
  inject({ on: 'open', errno: 'EACCES' })
  t.equal(await denialAt(fs, file), `${file} may not be read by this user (EACCES)`)
  inject({ on: 'open', errno: 'EPERM', nth: 2 })
  await t.rejects(refuseDenied(fs, file), { name: 'Refusal', message: `${file} may not be written by this user (EPERM). Run this as the user that runs the gateway.` })
  await t.resolves(refuseDenied(fs, file))
})

t.test('only a denial is refused', (t) => {
  t.throws(() => refuseIfDenied('/x', errnoError('EACCES')), { name: 'Refusal', message: /^\/x may not be read by this user \(EACCES\)/ })
  t.doesNotThrow(() => refuseIfDenied('/x', errnoError('EIO')))
  t.end()
})
