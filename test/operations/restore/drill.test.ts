import { mkdir, mkdtemp, readdir, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { backup } from '../../../src/operations/backup/backup.ts'
import { silent as progress } from '../../../src/operations/progress.ts'
import { drill } from '../../../src/operations/restore/drill.ts'
import { ownHeartbeat } from '../../../src/storage/volume/instance.ts'
import { temporaryFolder } from '../../helper.ts'
import { filesBelow, furnished } from '../fixtures/furnished.ts'

t.test('a drill beside a running gateway restores, proves and throws away', async (t) => {
  const { config, dir, folder, attach, url, textOf } = await furnished(t).then(async (place) => ({ ...place, ...await place.attach('ada', 'a text') }))
  t.ok(attach)
  await backup(config, { to: { dir }, progress })
  const before = await filesBelow(folder)
  t.match(await drill(config, dir, { progress }), { files: 1, verification: { findings: { length: 0 } }, isLedgerCurrent: true })
  t.same((await readdir(tmpdir())).filter((name) => name.startsWith('upload-gateway-drill-')), [])
  t.same((await filesBelow(folder)).filter((path) => !/-(wal|shm)$/.test(path)), before.filter((path) => !/-(wal|shm)$/.test(path)), 'the volume is as it was')
  t.equal(await textOf(url, 'ada'), 'a text')
})

t.test('what a killed drill left goes with the next one', async (t) => {
  const { config, dir } = await furnished(t)
  await backup(config, { to: { dir }, progress })
  const left = await mkdtemp(join(tmpdir(), 'upload-gateway-drill-'))
  await writeFile(join(left, 'owner.json'), JSON.stringify({ ...ownHeartbeat(), startedAt: '1' }))
  await drill(config, dir, { progress })
  await t.rejects(stat(left), { code: 'ENOENT' })
})

t.test('in a named place nothing else is touched, and a killed drill leaves nothing', async (t) => {
  const { config, dir, attach } = await furnished(t)
  await attach('ada', 'a text')
  await backup(config, { to: { dir }, progress })
  const into = join(await temporaryFolder(t), 'practice')
  await mkdir(join(into, 'upload-gateway-drill-killed/work'), { recursive: true })
  await writeFile(join(into, 'upload-gateway-drill-killed/owner.json'), JSON.stringify({ ...ownHeartbeat(), startedAt: '1' }))
  await writeFile(join(into, 'x'), '')
  const { files, root } = await drill(config, dir, { into, progress })
  t.equal(files, 1)
  t.ok(root.startsWith(`${into}/`))
  t.same(await readdir(into), ['x'])
})
