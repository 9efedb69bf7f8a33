// The users of System M as exported: whose avatar is behind which old path.
import { asUserId, type UserId } from '../../callers/caller.ts'
import { isPlainPath } from '../../storage/old-folder.ts'
import type { Refused } from './candidate.ts'
import { idIn, memberOf, readLines, type Line } from './ndjson.ts'
import { pathInUrl } from './old-url.ts'

/** Old path → the users whose avatar it is, in the order of the list. */
export type AvatarUsers = Map<string, UserId[]>

/** Reads the list into `users`; yields what cannot be used of it. Users without an avatar are nothing to import. */
export async function * readUsers (path: string, users: AvatarUsers): AsyncGenerator<Refused> {
  for await (const line of readLines(path, '--users')) {
    const named = avatarIn(line)
    if (named === undefined) continue
    if ('code' in named) {
      yield named
      continue
    }
    const others = users.get(named.oldPath) ?? []
    if (!others.includes(named.id)) users.set(named.oldPath, [...others, named.id])
  }
}

function avatarIn ({ number, entry }: Line): { id: UserId, oldPath: string } | Refused | undefined {
  const source = `system-m:users, line ${number}`
  if (entry === undefined) return { source, code: 'bad-entry', reason: 'the line is no JSON object' }
  const avatar = memberOf(entry, 'avatar')
  if (avatar === undefined) return undefined
  const text = idIn(memberOf(entry, 'id', '_id', 'userId'))
  const id = asUserId(text)
  if (id === undefined) return { source, code: 'bad-owner', reason: `${JSON.stringify(text ?? null)} can be no user's id here: it must be 1 to 128 of A-Z a-z 0-9 . _ : @ -, and not "me"` }
  const oldPath = typeof avatar === 'string' ? pathInUrl(avatar) : undefined
  if (oldPath?.startsWith('/i/') !== true) return { source, ownerId: id, code: 'elsewhere', reason: `the avatar ${shown(avatar)} is not below /i/` }
  if (!isPlainPath(oldPath.slice(3))) return { source, ownerId: id, code: 'bad-path', reason: `the avatar ${shown(avatar)} leads out of the folder` }
  return { id, oldPath }
}

export function shown (value: unknown): string {
  const text = JSON.stringify(value) ?? ''
  return text.length <= 200 ? text : `${text.slice(0, 200)}…`
}
