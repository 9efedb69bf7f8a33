import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { checkVolume } from '../../../src/operations/doctor/volume.ts'
import { restoreFile } from '../../../src/storage/volume/layout.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { folderFor, openVolume } from '../../storage/fixtures/volume.ts'

const measured = { files: 3, bytes: 2 * 1024 ** 2 }

type Space = { bavail?: number, blocks?: number, bsize?: number, files?: number, ffree?: number, type?: number }

async function look (t: Test, { root, space, step = 1, requireMount = false, reserve = 0 }: { root?: string, space?: Space, step?: number, requireMount?: boolean, reserve?: number } = {}) {
  const volume = root === undefined ? await openVolume(t) : undefined
  const uploadsDir = root ?? volume?.root ?? ''
  const { fs, inject } = createFaults()
  const usual = { bavail: 1000, blocks: 2000, bsize: 1e6, files: 1000, ffree: 900, type: 0xef53 }
  const statfs = (async () => ({ ...usual, ...space })) as unknown as typeof fs.statfs
  let ms = 0
  const checks = await checkVolume({ config: { uploadsDir, requireMount, diskReserveBytes: reserve }, fs: { ...fs, statfs }, monotonicMs: () => { ms += step; return ms }, measured })
  return { inject, root: uploadsDir, checks, named: (name: string) => checks.find((check) => check.name === name), staging: () => readdirSync(join(uploadsDir, 'staging')) }
}

t.test('a volume that is as it should be', async (t) => {
  const { checks, named, staging } = await look(t)
  t.strictSame(checks.filter(({ level }) => level === 'problem'), [])
  t.match(named('identity'), { level: 'ok', detail: /is an uploads volume, made on \d{4}-/ })
  t.match(named('file system'), { level: 'ok', detail: /ext4/ })
  t.match(named('writing'), { level: 'ok', detail: /durable in 1\.0 ms; large ones are written at [\d,]+ MB a second/ })
  t.match(named('processes'), { detail: /At work on it: gateway \(process \d+\)/ })
  t.equal(staging().length, 1, 'what was written is removed again')
})

t.test('where there is no volume, none is made', async (t) => {
  const root = await folderFor(t)
  t.match((await look(t, { root: join(root, 'none') })).checks, [{ name: 'folder', level: 'problem', change: /UPLOADS_DIR/ }])
  t.strictSame(readdirSync(root), [])
  const { named } = await look(t, { root })
  t.match(named('identity'), { level: 'problem', detail: /no identity file/ })
  t.match(named('writing'), { level: 'unknown' })
  t.match(named('processes'), { level: 'ok', detail: /No process/ })
  t.strictSame(readdirSync(root), [])
  writeFileSync(join(root, 'upload-gateway.json'), '{')
  t.match((await look(t, { root })).named('identity'), { level: 'problem', detail: /could not be looked at/ })
})

t.test('where uploads would be gone with the machine or the container is told', async (t) => {
  for (const [type, level, detail] of [[0x01021994, 'problem', /in memory/], [0x794c7630, 'problem', /container's own layers/], [0x1234, 'ok', /type 0x1234/]] as const) t.match((await look(t, { space: { type } })).named('file system'), { level, detail })
  t.match((await look(t)).named('mount'), { level: 'warning' })
  t.match((await look(t, { requireMount: true })).named('mount'), { level: 'problem' })
  t.match((await look(t, { root: '/proc' })).named('mount'), { level: 'ok' })
})

t.test('a disk that is full or nearly so is told, and left alone', async (t) => {
  const full = await look(t, { space: { bavail: 10 }, reserve: 20e6 })
  t.match(full.named('free space'), { level: 'problem', detail: /10 MB are free.*507/ })
  t.match(full.named('writing'), { level: 'unknown', detail: /leave the last free space alone/ })
  t.match((await look(t, { space: { bavail: 30 }, reserve: 20e6 })).named('free space'), { level: 'warning' })
  t.match((await look(t, { space: { ffree: 10 } })).named('inodes'), { level: 'problem' })
  t.match((await look(t, { space: { ffree: 20 } })).named('inodes'), { level: 'warning' })
  t.match((await look(t, { space: { files: 0, ffree: 0 } })).named('inodes'), { level: 'ok', detail: /no fixed number/ })
})

t.test('a slow disk is told', async (t) => {
  t.match((await look(t, { step: 30 })).named('writing'), { level: 'warning', detail: /durable in 30\.0 ms/ })
})

t.test('a restore that was interrupted is told', async (t) => {
  const { root } = await openVolume(t)
  writeFileSync(join(root, restoreFile), '{}')
  t.match((await look(t, { root })).named('restore'), { level: 'problem', detail: /not restored to the end/ })
})

t.test('processes that nobody can tell of are named as such, ended ones not', async (t) => {
  const { root, staging } = await openVolume(t)
  for (const [name, heartbeat] of [['0192a1b2-0000-4000-8000-000000000001', { pid: 7, world: 'another', startedAt: '1', beat: 1, work: 'backup' }], ['0192a1b2-0000-4000-8000-000000000002', 'damaged']] as const) {
    mkdirSync(join(root, 'staging', name))
    writeFileSync(join(root, 'staging', name, 'heartbeat.json'), JSON.stringify(heartbeat))
  }
  mkdirSync(join(root, 'staging', '0192a1b2-0000-4000-8000-000000000003'))
  await staging.close()
  const { named } = await look(t, { root })
  t.match(named('processes'), { detail: 'At work on it: backup (process 7 of another host, container or boot: alive or not).' })
  const faults = createFaults()
  faults.inject({ on: 'readdir', path: /staging$/, errno: 'EIO' })
  const checks = await checkVolume({ config: { uploadsDir: root, requireMount: false, diskReserveBytes: 0 }, fs: faults.fs, monotonicMs: () => 0, measured })
  t.match(checks.find(({ name }) => name === 'processes'), { level: 'problem', detail: /EIO/ })
})

t.test('what this user may not look at is told as that', async (t) => {
  const { root } = await openVolume(t)
  const denied = async (on: 'stat' | 'readFile') => {
    const { fs, inject } = createFaults()
    inject({ on, errno: 'EACCES', forever: true })
    return checkVolume({ config: { uploadsDir: root, requireMount: false, diskReserveBytes: 0 }, fs, monotonicMs: () => 0, measured })
  }
  const change = 'Run this as the user that runs the gateway.'
  t.strictSame(await denied('stat'), [{ area: 'volume', name: 'folder', level: 'problem', detail: `${root} may not be read by this user (EACCES).`, change }])
  const checks = await denied('readFile')
  for (const name of ['identity', 'restore', 'processes']) t.match(checks.find((check) => check.name === name), { level: 'problem', detail: /may not be read by this user \(EACCES\)\.$/, change }, name)
})
