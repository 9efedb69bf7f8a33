import { existsSync } from 'node:fs'
import { mkdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openTemporary } from '../../../src/operations/backup/temporary.ts'
import { fileSystem as fs } from '../../../src/storage/fs.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { ownHeartbeat } from '../../../src/storage/volume/instance.ts'

const prefix = 'upload-gateway-test-'

t.test('the folder is empty, and goes when it is closed', async (t) => {
  const parent = t.testdir()
  const { folder, close } = await openTemporary({ fs, prefix, parent })
  t.same(await fs.readdir(folder), [])
  await close()
  t.same(await fs.readdir(parent), [])
})

t.test('what killed processes left goes, and nothing else', async (t) => {
  const parent = t.testdir({ target: {} })
  const old = new Date(Date.now() - 25 * 3_600_000)
  async function left (name: string, owner: string | undefined, isOld: boolean): Promise<string> {
    const path = join(parent, name)
    await mkdir(join(path, 'work'), { recursive: true })
    await writeFile(join(path, 'work/blob'), 'x')
    if (owner !== undefined) await writeFile(join(path, 'owner.json'), owner)
    if (isOld) await utimes(owner === undefined ? path : join(path, 'owner.json'), old, old)
    return path
  }
  const alive = ownHeartbeat()
  const dead = JSON.stringify({ ...alive, startedAt: '1' })
  const elsewhere = JSON.stringify({ ...alive, world: 'another' })
  const gone = [await left(`${prefix}dead`, dead, false), await left(`${prefix}silent`, elsewhere, true), await left(`${prefix}nameless`, undefined, true)]
  const kept = [
    await left(`${prefix}alive`, JSON.stringify(alive), true), await left(`${prefix}elsewhere`, elsewhere, false), await left(`${prefix}new`, undefined, false),
    await left('another-dead', dead, true), join(parent, `${prefix}link`), join(parent, 'target'),
  ]
  await symlink(gone[0] ?? '', join(parent, `${prefix}link`))
  const { close } = await openTemporary({ fs, prefix, parent })
  for (const path of gone) t.notOk(existsSync(path), path)
  t.same((await fs.readdir(parent)).filter((name) => kept.includes(join(parent, name))).length, kept.length)
  await close()
})

t.test('its own is that of a process that lives', async (t) => {
  const parent = t.testdir()
  const first = await openTemporary({ fs, prefix, parent })
  const second = await openTemporary({ fs, prefix, parent })
  t.ok(existsSync(first.folder))
  t.match(JSON.parse(await readFile(join(first.folder, '../owner.json'), 'utf8')), { pid: process.pid })
  await first.close()
  await second.close()
})

t.test('what cannot be made leaves nothing, and what cannot be removed is in nobody\'s way', async (t) => {
  const parent = t.testdir({ [`${prefix}dead`]: { 'owner.json': JSON.stringify({ ...ownHeartbeat(), startedAt: '1' }) } })
  const { fs: faulty, inject } = createFaults()
  inject({ on: 'rm', path: /dead/, errno: 'EACCES' }, { on: 'mkdir', errno: 'ENOSPC' })
  await t.rejects(openTemporary({ fs: faulty, prefix, parent }), { code: 'ENOSPC' })
  t.same(await fs.readdir(parent), [`${prefix}dead`])
})
