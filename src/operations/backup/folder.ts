// A backup folder for writing: made or known to be of this volume, held alone, and cleared of what an interrupted run left.
import { join } from 'node:path'
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/schema'
import { errnoOf } from '../../storage/failures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { isWithin, realPlace } from '../../storage/place.ts'
import { stagingFolder } from '../../storage/volume/layout.ts'
import type { Progress } from '../progress.ts'
import { Refusal } from '../refusal.ts'
import { isThere } from '../workplace.ts'
import { holdBackup, type Hold } from './hold.ts'
import { backupFile, blobsFolder, format, isSnapshotName, replacedSuffix, snapshotFile, snapshotsFolder } from './layout.ts'
import { namesIn, readText } from './snapshots.ts'
import { writing } from './writing.ts'

const BackupSchema = Type.Object({
  format: Type.Integer({ minimum: 1 }),
  /** Keyed hash of the volume's identity. */
  volume: Type.String(),
  createdAt: Type.String(),
})

type Backup = Static<typeof BackupSchema>

export const encodeBackup = (backup: Backup): string => `${JSON.stringify(backup, null, 1)}\n`

export type BackupFolder = Hold & { readonly dir: string }

type Options = { readonly fs: FileSystem, readonly dir: string, readonly work: string, readonly volume: string, readonly now: () => Date, readonly progress: Progress }

export const placeOf = (dir: string) => ({ name: `The backup folder ${dir}`, afterwards: 'what was copied is kept, and older snapshots are as they were.' })

/** @throws Refusal when the folder is something else, belongs to another volume, or is in use */
export async function openBackupFolder ({ fs, dir, work, volume, now, progress }: Options): Promise<BackupFolder> {
  const place = placeOf(dir)
  await makeFolder(fs, dir)
  await refuseOthers(fs, dir, volume)
  const hold = await writing(place, () => holdBackup({ fs, dir, role: { work, isExclusive: true }, progress }))
  try {
    await writing(place, async () => {
      // Again: until this process was alone there, another may have come and gone.
      if (!await refuseOthers(fs, dir, volume)) await hold.place(join(dir, backupFile), encodeBackup({ format, volume, createdAt: now().toISOString() }))
      for (const name of [blobsFolder, snapshotsFolder]) await hold.durable.folder(join(dir, name), dir)
      await clear(fs, dir, hold)
    })
    return { ...hold, dir }
  } catch (error) {
    await hold.release()
    throw error
  }
}

/** Only the last one of its path: what is above may be a disk that is not mounted. */
async function makeFolder (fs: FileSystem, dir: string): Promise<void> {
  await fs.mkdir(dir, { mode: 0o750 }).catch((error: unknown) => {
    if (errnoOf(error) === 'EEXIST') return
    throw new Refusal(`The folder ${dir} cannot be made: ${error instanceof Error ? error.message : String(error)}. Mount the disk that it is to be on, or make the folder above it, for the user that runs the gateway.`, { cause: error })
  })
}

/** @throws Refusal when the folder holds no backup, with what it may be instead */
export async function requireBackup (fs: FileSystem, dir: string): Promise<void> {
  if (await isThere(fs, join(dir, backupFile))) return
  const isFile = await fs.stat(dir).then((stat) => stat.isFile(), () => false)
  if (isFile) throw new Refusal(`${dir} is a file. If it is a tar of "backup -", unpack it into an empty folder, as the user that runs the gateway, and name that: tar -xf ${dir} -C FOLDER`)
  throw new Refusal(`${dir} is no backup: it has no ${backupFile}. Name a folder that "upload-gateway backup" has filled.`)
}

/** Of the volume; undefined when the folder says none. @throws Refusal when it cannot be believed */
export async function readBackupFile (fs: FileSystem, dir: string): Promise<Backup | undefined> {
  const text = await readText(fs, join(dir, backupFile))
  if (text === undefined) return undefined
  const backup = parse(text)
  if (backup === undefined) throw new Refusal(`${join(dir, backupFile)} is damaged. Put it there from another copy of this backup, or back up into another folder.`)
  if (backup.format > format) throw new Refusal(`The backup in ${dir} was made by a newer version of the gateway. Use that version, or a later one.`)
  return backup
}

function parse (text: string): Backup | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return Check(BackupSchema, value) ? value : undefined
  } catch {
    return undefined
  }
}

/** True when it is a backup of this volume already. */
async function refuseOthers (fs: FileSystem, dir: string, volume: string): Promise<boolean> {
  // First: another backup that begins now makes its file before it makes anything else.
  const [stranger] = (await namesIn(fs, dir)).filter((name) => name !== stagingFolder && name !== 'lost+found')
  const backup = await readBackupFile(fs, dir)
  if (backup === undefined) {
    if (stranger !== undefined) throw new Refusal(`${dir} is no backup folder: it has no ${backupFile}, but it has ${stranger}. Name an empty folder, or one that holds backups of this volume.`)
  } else if (backup.volume !== volume) {
    throw new Refusal(`${dir} holds backups of another volume. Name an empty folder, or one that holds backups of this volume.`)
  }
  return backup !== undefined
}

/** Snapshots that were never finished; and one whose cleaned successor is, or is not, in its place. */
async function clear (fs: FileSystem, dir: string, { durable }: Hold): Promise<void> {
  const parent = join(dir, snapshotsFolder)
  const names = await namesIn(fs, parent)
  for (const name of names.filter((one) => one.endsWith(replacedSuffix))) {
    const original = name.slice(0, -replacedSuffix.length)
    if (names.includes(original)) await fs.rm(join(parent, name), { recursive: true, force: true })
    else await fs.rename(join(parent, name), join(parent, original))
  }
  for (const name of (await namesIn(fs, parent)).filter(isSnapshotName)) {
    const isFinished = await readText(fs, join(parent, name, snapshotFile)) !== undefined
    if (!isFinished) await fs.rm(join(parent, name), { recursive: true, force: true })
  }
  await durable.syncFolder(parent)
}

/** A backup within what it is a backup of would be gone with it. */
export async function refuseWithin (dir: string, root: string): Promise<void> {
  if (isWithin(await realPlace(root), await realPlace(dir))) throw new Refusal(`${dir} is on the uploads volume ${root}: a backup there would be lost with it. Name a folder elsewhere, on another disk.`)
}
