import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { openBackupFolder, requireBackup } from '../../../src/operations/backup/folder.ts'
import { silent } from '../../../src/operations/progress.ts'
import { fileSystem as fs } from '../../../src/storage/fs.ts'
import { temporaryFolder } from '../../helper.ts'

const opening = async (t: Test, dir: string) => {
  const folder = await openBackupFolder({ fs, dir, work: 'backup', volume: 'v', now: () => new Date(), progress: silent })
  t.teardown(() => folder.release())
}

test('the folder is made, but nothing above it, which may be a disk that is not mounted', async (t) => {
  const home = await temporaryFolder(t)
  await t.rejects(opening(t, join(home, 'none', 'backup')), { name: 'Refusal', message: /cannot be made: ENOENT.*Mount the disk/ })
  t.strictSame(await readdir(home), [])
  await opening(t, join(home, 'backup'))
  t.match(await readdir(join(home, 'backup')), ['blobs', 'snapshots', 'staging', 'upload-gateway-backup.json'])
})

test('a folder system that answers "no such file" to whatever is made in it is refused, and not tried for ever', { skip: process.platform !== 'linux' && 'there is no /proc' }, async (t) => {
  await t.rejects(opening(t, '/proc/backup'), { name: 'Refusal', message: /cannot be made/ })
})

test('what is no backup is told from one, and a tar is told how it becomes one', async (t) => {
  const home = await temporaryFolder(t)
  await writeFile(join(home, 'a.tar'), 'tar')
  await t.rejects(requireBackup(fs, join(home, 'a.tar')), { name: 'Refusal', message: /is a file.*tar -xf/ })
  await t.rejects(requireBackup(fs, home), { name: 'Refusal', message: /is no backup/ })
  await t.rejects(requireBackup(fs, join(home, 'none')), { name: 'Refusal', message: /is no backup/ })
  await mkdir(join(home, 'backup'))
  await opening(t, join(home, 'backup'))
  await requireBackup(fs, join(home, 'backup'))
})
