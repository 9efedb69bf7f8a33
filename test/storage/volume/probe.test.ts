import { test, type Test } from 'tap'
import { createDurable } from '../../../src/storage/volume/durable.ts'
import { createProbe } from '../../../src/storage/volume/probe.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { filesBelow, folderFor, openBelow } from '../fixtures/volume.ts'

async function setUp (t: Test) {
  const root = await folderFor(t)
  const faults = createFaults()
  const durable = createDurable({ fs: faults.fs, onSyncFailure: () => probe.noteSyncFailure() })
  const probe = createProbe({ fs: faults.fs, durable, staging: { folder: root, within: (work) => work() } })
  return { root, faults, probe }
}

const unavailable = { code: 'STORAGE_UNAVAILABLE' }

test('a volume that takes, keeps and gives back a small file can do its work; nothing is left of it', async (t) => {
  const { root, faults, probe } = await setUp(t)
  await probe.check()
  t.strictSame(faults.calls.map(({ on }) => on), ['open', 'writev', 'sync', 'close', 'readFile', 'unlink'])
  t.strictSame(await filesBelow(root), [])
})

test('a volume that cannot is not ready, and is again as soon as it can', async (t) => {
  for (const on of ['open', 'writev', 'readFile', 'unlink'] as const) {
    for (const errno of ['EIO', 'EROFS', 'EMFILE']) {
      const { root, faults, probe } = await setUp(t)
      faults.inject({ on, errno })
      await t.rejects(probe.check(), { ...unavailable, cause: { code: errno } }, `${errno} on ${on}`)
      await probe.check()
      t.strictSame(openBelow(root), [])
    }
  }
})

test('a volume that gives back other bytes is not ready', async (t) => {
  const { root, faults, probe } = await setUp(t)
  const { writeFile, readdir } = await import('node:fs/promises')
  faults.inject({ on: 'readFile', before: async () => { for (const name of await readdir(root)) await writeFile(`${root}/${name}`, 'rot') } })
  await t.rejects(probe.check(), { ...unavailable, cause: { message: /other bytes/ } })
  t.strictSame(await filesBelow(root), [])
})

test('I6: after a failed fsync it is not ready until three probes in a row succeed', async (t) => {
  const { probe } = await setUp(t)
  probe.noteSyncFailure()
  await t.rejects(probe.check(), { ...unavailable, cause: { message: /2 more/ } })
  await t.rejects(probe.check(), { ...unavailable, cause: { message: /1 more/ } })
  await probe.check()
  await probe.check()
})

test('I6: any failure in between starts the three anew, and a failed fsync of a probe is one', async (t) => {
  const { faults, probe } = await setUp(t)
  faults.inject({ on: 'sync', errno: 'EIO' })
  await t.rejects(probe.check(), unavailable, 'fails itself')
  t.equal(faults.count('sync'), 1, 'and does not try again')
  await t.rejects(probe.check(), unavailable)
  await t.rejects(probe.check(), unavailable)
  faults.inject({ on: 'readFile', errno: 'EIO' })
  await t.rejects(probe.check(), unavailable)
  for (const left of [2, 1]) await t.rejects(probe.check(), { cause: { message: new RegExp(`${left} more`) } })
  await probe.check()
})

test('I6: a full disk never makes it unready', async (t) => {
  for (const on of ['open', 'writev', 'sync'] as const) {
    for (const errno of ['ENOSPC', 'EDQUOT']) {
      const { root, faults, probe } = await setUp(t)
      faults.inject({ on, errno, forever: true })
      await probe.check()
      faults.heal()
      await probe.check()
      t.strictSame(await filesBelow(root), [], `${errno} on ${on}`)
    }
  }
})

test('I6: a disk that is full after a failed fsync has not shown that it works again', async (t) => {
  const { faults, probe } = await setUp(t)
  probe.noteSyncFailure()
  faults.inject({ on: 'writev', errno: 'ENOSPC', forever: true })
  for (let count = 0; count < 4; count += 1) await t.rejects(probe.check(), { code: 'STORAGE_FULL' })
  faults.heal()
  for (let count = 0; count < 2; count += 1) await t.rejects(probe.check(), unavailable)
  await probe.check()
})

test('I6: a probe that began before the failure does not count', async (t) => {
  const { faults, probe } = await setUp(t)
  faults.inject({ on: 'readFile', before: () => probe.noteSyncFailure() })
  await t.rejects(probe.check(), { cause: { message: /3 more/ } })
})
