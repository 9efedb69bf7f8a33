// System M's folder /app/uploads: any tree of files, with what an index says of them.
import type { UserId } from '../../callers/caller.ts'
import { typeOfName } from '../../transfer/sniff.ts'
import { createAttachmentIndex, type Indexed } from './attachment-index.ts'
import type { Found, Reader, Refused } from './candidate.ts'
import { countFiles, walk, type TreeEntry } from './tree.ts'
import { dateOfFile, readerOf, sizeOfFile } from './tree-file.ts'

export type SystemMAttachments = {
  /** A real path: the folder that was served as /uploads. */
  readonly root: string
  readonly index?: string | undefined
  /** To whom belongs what the index names no owner of. */
  readonly ownerId?: UserId | undefined
  readonly visibility: 'public' | 'private'
  readonly now: () => Date
}

const oldPathOf = (path: string): string => `/uploads/${path}`

export function systemMAttachments (options: SystemMAttachments): Reader {
  const { root } = options

  async function * found (): AsyncGenerator<Found> {
    const index = createAttachmentIndex()
    if (options.index !== undefined) {
      yield * index.read(options.index)
      for await (const { path } of walk(root)) index.see(path)
    }
    for await (const entry of walk(root)) yield await foundAt(options, entry, index.take(entry.path))
    for (const { path, ownerId } of index.rest()) {
      yield { source: `system-m:${oldPathOf(path)}`, ...ownedBy(ownerId, path), code: 'missing', reason: `the index names ${JSON.stringify(path)}, and there is no such file` }
    }
  }

  return { count: () => countFiles(root), found }
}

/** So that an old path of somebody who was erased is closed, though nothing can be imported. */
const ownedBy = (ownerId: UserId | undefined, path: string): Partial<Refused> => ownerId === undefined ? {} : { kind: 'attachment', ownerId, paths: [oldPathOf(path)] }

async function foundAt (options: SystemMAttachments, { path, fault }: TreeEntry, indexed: Indexed | undefined): Promise<Found> {
  const { root, visibility, now } = options
  const oldPath = oldPathOf(path)
  const source = `system-m:${oldPath}`
  const ownerId = indexed?.ownerId ?? options.ownerId
  if (fault !== undefined) return { source, ...fault, ...ownedBy(ownerId, path) }
  if (indexed?.fault !== undefined) return { source, ...indexed.fault, ...await sizeOfFile(root, path) }
  if (ownerId === undefined) return { source, code: 'ownerless', reason: 'the index names no owner of it; --owner says to whom such files belong', ...await sizeOfFile(root, path) }
  const name = path.slice(path.lastIndexOf('/') + 1)
  const filename = indexed?.filename ?? name
  const { notes, ...dated } = await dateOfFile(root, path, oldPath, now(), indexed?.createdAt)
  return {
    kind: 'attachment', source, ownerId, isOwnerless: indexed?.ownerId === undefined, visibility, filename,
    paths: [oldPath, ...otherSpelling(path, indexed)],
    ...dated,
    notes: [...indexed?.notes ?? [], ...notes],
    declaredType: indexed?.contentType ?? typeOfName(name),
    contextType: indexed?.contextType ?? null,
    contextId: indexed?.contextId ?? null,
    read: readerOf(root, path),
  }
}

/** Clients know the spelling of the index. */
function otherSpelling (path: string, indexed: Indexed | undefined): string[] {
  const isOther = indexed !== undefined && indexed.path !== path && indexed.path.normalize('NFC') === path.normalize('NFC')
  return isOther ? [oldPathOf(indexed.path)] : []
}
