// The blob of an attachment whose record is lost: the sidecars of the day in which its id was made name it.
import { join } from 'node:path'
import { asBlobId, timeOf, type BlobId } from '../../storage/ids.ts'
import type { FileSystem } from '../../storage/fs.ts'
import { decodeSidecar } from '../../storage/sidecar.ts'
import { inspect } from '../../storage/volume/inspect.ts'
import { dayFolder, parseName } from '../../storage/volume/layout.ts'
import { refuseIfDenied } from '../access.ts'
import type { Progress } from '../progress.ts'

const maxSidecarBytes = 1024 ** 2

/** Both ids of an upload are made within moments. */
const apartMs = 5 * 60_000

/** Read at a time. */
const batch = 32

/** @throws Refusal when this user may not look there */
export async function blobNaming ({ fs, root, progress }: { readonly fs: FileSystem, readonly root: string, readonly progress: Progress }, recordId: BlobId): Promise<BlobId | undefined> {
  const made = timeOf(recordId).getTime()
  const near = (id: BlobId): number => Math.abs(timeOf(id).getTime() - made)
  progress.step('Listing the attachments of the day of the id')
  const found = (await Promise.all(Array.from(foldersAround(root, made, recordId), (folder) => sidecarsIn(fs, folder)))).flat()
  // Most often the nearest is it.
  const nearest = found.sort((a, b) => near(a.id) - near(b.id))
  // Of an object store, each is a request.
  progress.step('Reading their sidecars', nearest.length)
  for (let start = 0; start < nearest.length; start += batch) {
    const group = nearest.slice(start, start + batch)
    const ids = await Promise.all(group.map(async ({ id, path }) => await recordIn(fs, path) === recordId ? id : undefined))
    progress.advance(group.length)
    const id = ids.find((one) => one !== undefined)
    if (id !== undefined) return id
  }
  return undefined
}

/** Of the day, and near midnight also of its neighbour. */
function foldersAround (root: string, made: number, recordId: BlobId): Set<string> {
  const at = (ms: number): string => dayFolder(root, { kind: 'attachment', id: idOf(ms, recordId) })
  return new Set([at(made), at(made - apartMs), at(made + apartMs)])
}

/** The id with another time. */
function idOf (ms: number, id: BlobId): BlobId {
  const hex = ms.toString(16).padStart(12, '0')
  return asBlobId(`${hex.slice(0, 8)}-${hex.slice(8)}${id.slice(13)}`) ?? id
}

async function sidecarsIn (fs: FileSystem, folder: string): Promise<Array<{ id: BlobId, path: string }>> {
  const names = await fs.readdir(folder).catch((error: unknown) => {
    refuseIfDenied(folder, error)
    return []
  })
  return names.flatMap((name) => {
    const parsed = parseName(name)
    return parsed === undefined || parsed.extension !== undefined ? [] : [{ id: parsed.id, path: join(folder, name) }]
  })
}

async function recordIn (fs: FileSystem, path: string): Promise<string | null | undefined> {
  const look = await inspect(fs, path, { maxBytes: maxSidecarBytes })
  return look.is === 'file' && look.bytes !== undefined ? decodeSidecar(look.bytes.toString())?.recordId : undefined
}
