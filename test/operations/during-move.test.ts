import { join } from 'node:path'
import { test } from 'tap'
import { backup } from '../../src/operations/backup/backup.ts'
import { silent as progress } from '../../src/operations/progress.ts'
import { rebuild } from '../../src/operations/rebuild/rebuild.ts'
import { restore } from '../../src/operations/restore/restore.ts'
import { verifyVolume } from '../../src/operations/verify.ts'
import { atWork } from '../../src/operations/workplace.ts'
import { moving } from './storage-copy/fixture.ts'

test('rebuild and restore wait until the move is over; verify and backup work on both homes', async (t) => {
  const { copy, post, app, config, local, onStore, folder, elsewhere } = await moving(t)
  await post('ada', 'early')
  await copy()
  await post('ada', 'late')
  await app.close()
  const during = { ...config, uploadsDir: local, fallback: { kind: 'volume', folder } } as const
  const refused = (work: string) => ({ name: 'Refusal', message: new RegExp(`^${work} works on one home, and STORAGE_FALLBACK_URL names a second one.*Run "upload-gateway storage copy" until nothing is left`) })
  await t.rejects(rebuild(during, progress, { fs: onStore }), refused('rebuild'))
  await atWork(during, { work: 'verify', fs: onStore }, async (workplace) => {
    t.match(await verifyVolume(workplace, { progress }), { records: 2, hashedFiles: 2, findings: { length: 0 } })
  })
  const dir = join(elsewhere, 'backup')
  t.match(await backup(during, { to: { dir }, progress, fs: onStore }), { files: 2, findings: { length: 0 } })
  await t.rejects(restore(during, dir, { progress, fs: onStore }), refused('restore'))
  const into = join(elsewhere, 'restored')
  t.match(await restore(during, dir, { into, progress, fs: onStore }), { verification: { records: 2, findings: { length: 0 } } })
  const back = { ...config, fallback: { kind: 'volume', folder: join(elsewhere, 'other') } } as const
  t.match(await restore(back, dir, { into: `${into}2`, progress }), { verification: { records: 2, findings: { length: 0 } } })
})
