import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { openBackupFolder, refuseWithin, requireBackup } from '../../../src/operations/backup/folder.ts'
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

test('another backup of the same volume that makes the folder meanwhile is none of a stranger', async (t) => {
  const dir = join(await temporaryFolder(t), 'backup')
  const options = { dir, work: 'backup', volume: 'v', now: () => new Date(), progress: silent }
  let looks = 0
  const open: typeof fs.open = async (path, ...rest) => {
    const handle = fs.open(path, ...rest)
    await handle.catch(() => {})
    if (String(path).endsWith('upload-gateway-backup.json') && ++looks === 1) await (await openBackupFolder({ fs, ...options, now: () => new Date(0) })).release()
    return handle
  }
  await (await openBackupFolder({ fs: { ...fs, open }, ...options })).release()
  t.match(await fs.readFile(join(dir, 'upload-gateway-backup.json'), 'utf8'), /"createdAt": "1970/, 'which is kept as the other made it')
  t.equal(looks, 2)
})

test('a folder that is yet to be made is within the volume also when a link leads there', { skip: process.platform === 'win32' && 'links are for administrators' }, async (t) => {
  const home = await temporaryFolder(t)
  const volume = join(home, 'volume')
  await mkdir(join(volume, 'attachments'), { recursive: true })
  await mkdir(join(home, 'volume-backups'))
  await symlink(volume, join(home, 'link'))
  await symlink(join(volume, 'attachments'), join(home, 'deep'))
  for (const dir of ['link', 'link/new', 'link/new/newer', 'deep/../new', 'volume/new']) await t.rejects(refuseWithin(`${home}/${dir}`, volume), { name: 'Refusal', message: /is on the uploads volume/ }, dir)
  for (const dir of ['new', 'volume-backups', 'volume-backups/new', 'none/new']) await t.resolves(refuseWithin(join(home, dir), volume), dir)
  await t.resolves(refuseWithin('a-folder-here', volume))
  await symlink('loop', join(home, 'loop'))
  await t.rejects(refuseWithin(join(home, 'loop', 'new'), volume), { code: 'ELOOP' })
})
