// Where everything is in a backup folder: blobs once for all snapshots, and a folder for each snapshot.
import { join } from 'node:path'

export const format = 1

/** Says that a folder is a backup, and of which volume. */
export const backupFile = 'upload-gateway-backup.json'
export const snapshotsFolder = 'snapshots'
export const blobsFolder = 'blobs'

/** Of a snapshot; the last is written last. */
export const databaseCopy = 'database.sqlite'
export const manifestFile = 'manifest.ndjson'
export const keysFolder = 'keys'
export const snapshotFile = 'snapshot.json'

/** Below it, blobs lie as they do on a volume. */
export const blobsRoot = (dir: string): string => join(dir, blobsFolder)

export const snapshotRoot = (dir: string, name: string): string => join(dir, snapshotsFolder, name)

const namePattern = /^\d{8}T\d{6}\.\d{3}Z$/

export const isSnapshotName = (name: string): boolean => namePattern.test(name)

/** A name for the snapshot of `now` that sorts after `newest`, also when the clock was set back. */
export function snapshotName (now: Date, newest?: string): string {
  const name = nameOf(now)
  return newest === undefined || name > newest ? name : nameOf(new Date(timeOf(newest).getTime() + 1))
}

const nameOf = (at: Date): string => at.toISOString().replaceAll(/[-:]/g, '')

function timeOf (name: string): Date {
  return new Date(name.replace(/^(....)(..)(..)T(..)(..)(.*)$/, '$1-$2-$3T$4:$5:$6'))
}

/** The old one, while a cleaned one takes its place. */
export const replacedSuffix = '.replaced'
