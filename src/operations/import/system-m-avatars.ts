// System M's folder public/i: pictures that users have as their avatar, and everything else that was served from there.
import type { UserId } from '../../callers/caller.ts'
import { typeOfName } from '../../transfer/sniff.ts'
import type { Candidate, Found, Reader } from './candidate.ts'
import { countFiles, walk, type TreeEntry } from './tree.ts'
import { dateOfFile, readerOf, sizeOfFile } from './tree-file.ts'
import { readUsers, type AvatarUsers } from './user-list.ts'

export type SystemMAvatars = {
  /** A real path: the folder that was served as /i. */
  readonly root: string
  /** The list of users; without one no picture is anybody's avatar. */
  readonly users?: string | undefined
  /** To whom belongs what is nobody's avatar. */
  readonly ownerId?: UserId | undefined
  readonly visibility: 'public' | 'private'
  readonly now: () => Date
}

const sourceFor = (userId: string, oldPath: string): string => `system-m:users/${userId}${oldPath}`

export function systemMAvatars (options: SystemMAvatars): Reader {
  const { root } = options

  async function * found (): AsyncGenerator<Found> {
    const users: AvatarUsers = new Map()
    if (options.users !== undefined) yield * readUsers(options.users, users)
    for await (const entry of walk(root)) {
      const oldPath = `/i/${entry.path}`
      yield * foundAt(options, entry, oldPath, users.get(oldPath) ?? [])
      users.delete(oldPath)
    }
    for (const [oldPath, ids] of users) {
      for (const id of ids) yield { source: sourceFor(id, oldPath), kind: 'avatar', ownerId: id, paths: [oldPath], code: 'missing', reason: `there is no file ${JSON.stringify(oldPath)}` }
    }
  }

  return { count: () => countFiles(root), found }
}

async function * foundAt (options: SystemMAvatars, { path, fault }: TreeEntry, oldPath: string, users: readonly UserId[]): AsyncGenerator<Found> {
  const source = `system-m:${oldPath}`
  if (fault !== undefined) return yield * users.length === 0 ? [{ source, ...fault }] : users.map((ownerId) => ({ source: sourceFor(ownerId, oldPath), kind: 'avatar' as const, ownerId, paths: [oldPath], ...fault }))
  if (users.length === 0 && options.ownerId === undefined) return yield { source, code: 'ownerless', reason: 'no user has it as their avatar; --owner says to whom such files belong', ...await sizeOfFile(options.root, path) }
  const common = await fileAt(options, path, oldPath)
  if (users.length === 0) return yield { ...common, kind: 'attachment', source, ownerId: options.ownerId ?? '', isOwnerless: true, visibility: options.visibility }
  for (const ownerId of users) yield { ...common, kind: 'avatar', source: sourceFor(ownerId, oldPath), ownerId, isOwnerless: false, visibility: null, filename: undefined }
}

async function fileAt ({ root, now }: SystemMAvatars, path: string, oldPath: string): Promise<Omit<Candidate, 'kind' | 'source' | 'ownerId' | 'isOwnerless' | 'visibility'>> {
  const filename = path.slice(path.lastIndexOf('/') + 1)
  return {
    paths: [oldPath], filename, contextType: null, contextId: null,
    ...await dateOfFile(root, path, oldPath, now()),
    declaredType: typeOfName(filename),
    read: readerOf(root, path),
  }
}
