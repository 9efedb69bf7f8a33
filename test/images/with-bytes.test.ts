import { closeSync, openSync, writeFileSync } from 'node:fs'
import { test } from 'tap'
import { allBytes, withBytes } from '../../src/images/with-bytes.ts'

test('a file is open as long as it is used, and not longer', async (t) => {
  const path = `${t.testdir({})}/file`
  writeFileSync(path, 'hello')
  const contentType = 'image/png'
  const before = openSync(path, 'r')
  closeSync(before)
  t.equal(withBytes({ path, contentType }, ({ size, read }) => `${size} ${read(1, 3)}`), '5 ell')
  t.throws(() => withBytes({ path, contentType }, () => { throw new Error('of the user') }), { message: 'of the user' })
  const after = openSync(path, 'r')
  t.equal(after, before, 'no descriptor is left open')
  closeSync(after)
  t.throws(() => withBytes({ path: `${path}-not`, contentType }, () => 1), { code: 'ENOENT' })
})

test('what is in memory is read from there', async (t) => {
  const picture = { bytes: Buffer.from('hello'), contentType: 'image/png' } as const
  t.equal(withBytes(picture, ({ size, read }) => `${size} ${read(1, 3)}`), '5 ell')
  t.equal(await allBytes(picture), picture.bytes)
})

test('all of a file is read', async (t) => {
  const path = `${t.testdir({})}/file`
  writeFileSync(path, 'hello')
  t.equal((await allBytes({ path, contentType: 'image/png' })).toString(), 'hello')
})
