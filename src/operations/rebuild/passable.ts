// Folders of the volume that a scan does not enter, because something else stands in their place: what lies behind would be lost.
import { basename, join } from 'node:path'
import type { FileSystem } from '../../storage/fs.ts'
import { isFolderOfUploads, kindFolder, kinds } from '../../storage/volume/layout.ts'
import type { ForeignEntry } from '../../storage/volume/scan.ts'
import { Refusal } from '../refusal.ts'

const refusal = (path: string, what: string): Refusal => new Refusal(`${path} is a ${what}, where the layout of the volume has a folder: what lies behind it would have no record any more, so the database was left as it was. Where a folder was moved to another disk, mount that in its place ("mount --bind"), or move the folder back; else move what is there away. Then run this again.`)

/** @throws Refusal naming the first of them */
export function refuseBlocked (root: string, entries: readonly ForeignEntry[]): void {
  for (const entry of entries) if (entry.what !== 'folder' && isFolderOfUploads(entry.path)) throw refusal(join(root, entry.path), entry.what)
}

/** A link that leads to a folder is followed there by everything; one that leads nowhere looks like a volume without uploads. */
export async function refuseBlockedKinds (fs: FileSystem, root: string): Promise<void> {
  const entries = await fs.readdir(root, { withFileTypes: true })
  for (const kind of kinds) {
    const folder = kindFolder(root, kind)
    const entry = entries.find(({ name }) => name === basename(folder))
    if (entry === undefined || entry.isDirectory()) continue
    const behind = await fs.stat(folder).catch(() => undefined)
    if (behind?.isDirectory() !== true) throw refusal(folder, entry.isSymbolicLink() ? 'symbolic link that leads to no folder' : 'file')
  }
}
