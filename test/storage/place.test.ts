import { mkdir, realpath, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { isWithin, realPlace } from '../../src/storage/place.ts'
import { folderFor } from './fixtures/volume.ts'

test('a folder holds itself and what is below', (t) => {
  t.ok(isWithin('/a', '/a') && isWithin('/a', '/a/b') && isWithin('/a', '/a/..b'))
  t.notOk(isWithin('/a', '/') || isWithin('/a', '/ab') || isWithin('/a/b', '/a'))
  t.end()
})

test('what is yet to be made has its place where the links above it lead', { skip: process.platform === 'win32' && 'links are for administrators' }, async (t) => {
  const home = await realpath(await folderFor(t))
  await mkdir(join(home, 'real/below'), { recursive: true })
  await symlink(join(home, 'real/below'), join(home, 'link'))
  await symlink('ring', join(home, 'ring'))
  t.equal(await realPlace(join(home, 'link')), join(home, 'real/below'))
  t.equal(await realPlace(join(home, 'link/new/newer')), join(home, 'real/below/new/newer'))
  t.equal(await realPlace(`${home}/link/../new`), join(home, 'real/new'))
  t.equal(await realPlace('a-folder-here'), join(await realpath('.'), 'a-folder-here'))
  await t.rejects(realPlace(join(home, 'ring/new')), { code: 'ELOOP' })
})
