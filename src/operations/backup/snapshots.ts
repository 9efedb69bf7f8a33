// Which snapshots a backup folder holds. Reads only.
import { join } from 'node:path'
import { errnoOf } from '../../storage/failures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { NotOrdinary, readOrdinaryText } from '../../storage/ordinary-file.ts'
import { Refusal } from '../refusal.ts'
import { isSnapshotName, replacedSuffix, snapshotFile, snapshotRoot, snapshotsFolder } from './layout.ts'
import { decodeSnapshotRecord, type SnapshotRecord } from './snapshot-record.ts'

export type FoundSnapshot = {
  readonly name: string
  readonly root: string
  /** Undefined when snapshot.json cannot be believed. */
  readonly record: SnapshotRecord | undefined
}

/** Oldest first. What has no snapshot.json was never finished, and is none. */
export async function findSnapshots (fs: FileSystem, dir: string): Promise<FoundSnapshot[]> {
  const entries = await namesIn(fs, join(dir, snapshotsFolder))
  const found: FoundSnapshot[] = []
  for (const name of [...new Set(entries.map((entry) => entry.replace(replacedSuffix, '')))].filter(isSnapshotName).sort()) {
    const text = await readText(fs, join(snapshotRoot(dir, name), snapshotFile))
    if (text !== undefined) found.push({ name, root: snapshotRoot(dir, name), record: decodeSnapshotRecord(text) })
    else found.push(...await replaced(fs, dir, name))
  }
  return found
}

/** A process died between the two renames that put a cleaned snapshot in the place of this one. */
async function replaced (fs: FileSystem, dir: string, name: string): Promise<FoundSnapshot[]> {
  const root = snapshotRoot(dir, name) + replacedSuffix
  const text = await readText(fs, join(root, snapshotFile))
  return text === undefined ? [] : [{ name, root, record: decodeSnapshotRecord(text) }]
}

/** The newest, or the one of that name. @throws Refusal when there is none */
export async function chooseSnapshot (fs: FileSystem, dir: string, name?: string): Promise<FoundSnapshot> {
  const all = await findSnapshots(fs, dir)
  const newest = all.at(-1)
  if (newest === undefined) throw new Refusal(`There is no backup in ${dir}: no finished snapshot in its folder ${snapshotsFolder}. Name the folder that "upload-gateway backup" was given, or unpack the tar that it made there.`)
  const chosen = name === undefined ? newest : all.find((one) => one.name === name)
  if (chosen === undefined) throw new Refusal(`There is no snapshot ${name} in ${dir}. It has ${all.map((one) => one.name).join(', ')}.`)
  return chosen
}

/** Undefined when there is no such file; empty when it is no ordinary one, and so says nothing. */
export async function readText (fs: FileSystem, path: string): Promise<string | undefined> {
  return readOrdinaryText(fs, path).catch((error: unknown) => {
    if (isAbsent(error)) return undefined
    if (error instanceof NotOrdinary) return ''
    throw error
  })
}

export const namesIn = (fs: FileSystem, folder: string): Promise<string[]> => fs.readdir(folder).catch((error: unknown) => {
  if (isAbsent(error)) return []
  throw error
})

const isAbsent = (error: unknown): boolean => errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR'
