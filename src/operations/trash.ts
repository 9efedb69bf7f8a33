// The trash for operators: what is in it, back from it, and for good. commands/trash.ts is its command line.
import { createAttachmentRecords } from '../attachments/records.ts'
import { createAttachments } from '../attachments/service.ts'
import { createAvatarRecords } from '../avatars/records.ts'
import { createAvatars } from '../avatars/service.ts'
import { showingStored } from '../avatars/showing.ts'
import { asUserId } from '../callers/caller.ts'
import { createOwners } from '../records/owners.ts'
import { createTrashRecords, type NamedBlob, type TrashFilter } from '../records/trash.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { Kind } from '../storage/store.ts'
import type { Progress } from './progress.ts'
import type { Workplace } from './workplace.ts'

export type TrashItem = {
  /** Of the attachment, or of the picture: the one to restore or purge it by. */
  readonly id: string
  readonly blobId: string
  readonly kind: Kind
  readonly ownerId: string | null
  readonly state: Sidecar['state']
  readonly stateAt: string
  /** The clean-up removes it for good from then on. */
  readonly keptUntil: string
  readonly bytes: number
  readonly filename: string | null
}

/** `count` and `bytes` are of all; `items` are the latest of them. */
export type TrashList = { readonly count: number, readonly bytes: number, readonly items: readonly TrashItem[] }

type ListOptions = { readonly filter: TrashFilter, readonly limit: number, readonly retentionMs: number }

export async function listTrash ({ client }: Workplace, { filter, limit, retentionMs }: ListOptions): Promise<TrashList> {
  const trash = createTrashRecords(client)
  const items = (await trash.list(filter, limit)).map(({ id, kind, recordId, ownerId, state, stateAt, size, filename }): TrashItem => ({
    id: recordId ?? id, blobId: id, kind, ownerId, state, stateAt, keptUntil: keptUntil(stateAt, retentionMs), bytes: size, filename,
  }))
  return { ...await trash.total(filter), items }
}

const keptUntil = (stateAt: string, retentionMs: number): string => new Date(new Date(stateAt).getTime() + retentionMs).toISOString()

/** One that was named and left as it is. */
export type LeftAlone = { readonly id: string, readonly reason: string }

export type Restored = { readonly id: string, readonly kind: Kind, readonly ownerId: string | null, readonly as: 'attachment' | 'current picture' | 'earlier picture', readonly url: string }

export type RestoreReport = { readonly restored: readonly Restored[], readonly left: readonly LeftAlone[] }

type RestoreOptions = {
  /** Also where the user has another picture now, which is replaced then. */
  readonly isCurrent?: boolean
  readonly retentionMs: number
  readonly progress: Progress
}

/** By id of the blob or of the attachment. Each is settled, row and sidecar, before the next. */
export async function restoreTrash (workplace: Workplace, ids: readonly string[], options: RestoreOptions): Promise<RestoreReport> {
  const trash = createTrashRecords(workplace.client)
  const restore = createRestore(workplace, options)
  const { progress } = options
  const restored: Restored[] = []
  const left: LeftAlone[] = []
  progress.step('Restoring', ids.length)
  for (const id of ids) {
    const named = await trash.find(id)
    const reason = whyNotTrash(named)
    const outcome = named === undefined || reason !== undefined ? reason : await restore(named.sidecar)
    if (typeof outcome === 'object') restored.push(outcome)
    else left.push({ id, reason: outcome ?? 'It was purged or changed at this moment.' })
    progress.advance()
  }
  return { restored, left }
}

/** Gives back what came back, or why it was left alone; undefined when it is gone. */
function createRestore ({ client, storage: { store, hash }, settling, now, events }: Workplace, { isCurrent = false, retentionMs }: RestoreOptions) {
  const owners = createOwners({ client, hash })
  const attachments = createAttachments({ store, settling, now, records: createAttachmentRecords({ client, owners, now, events }) })
  const avatars = createAvatars({ settling, records: createAvatarRecords({ client, owners, now, events }), show: showingStored({ store }), warn () {} })

  async function restoreAvatar ({ id, ownerId, state, stateAt }: Sidecar): Promise<Restored | string> {
    const userId = asUserId(ownerId)
    if (userId === undefined) throw new TypeError(`the owner of ${id} can be no user`)
    const becomesCurrent = isCurrent || !await avatars.has(userId)
    if (!becomesCurrent && state === 'superseded' && await isFound(avatars.version(userId, id))) {
      // An earlier restore may have ended before its sidecar was written (I4).
      await settling.settle(id)
      return `It is an earlier picture of ${userId} already, kept until ${keptUntil(stateAt, retentionMs).slice(0, 16).replace('T', ' ')} UTC; --current makes it the current one.`
    }
    await (becomesCurrent ? avatars.restore(userId, id) : avatars.retain(userId, id))
    return { id, kind: 'avatar', ownerId, as: becomesCurrent ? 'current picture' : 'earlier picture', url: `/api/avatars/${userId}/${id}` }
  }

  async function restoreAttachment ({ recordId, ownerId }: Sidecar): Promise<Restored> {
    const { id, url } = await attachments.restore(recordId ?? '')
    return { id, kind: 'attachment', ownerId, as: 'attachment', url }
  }

  return async (sidecar: Sidecar): Promise<Restored | string | undefined> => {
    const outcome = (sidecar.kind === 'avatar' ? restoreAvatar : restoreAttachment)(sidecar)
    return await isFound(outcome) ? outcome : undefined
  }
}

/** False for a 404. */
const isFound = (asked: Promise<unknown>): Promise<boolean> => asked.then(() => true, (error: unknown) => {
  if (error instanceof Error && 'statusCode' in error && error.statusCode === 404) return false
  throw error
})

/** Undefined for what is in the trash. */
export function whyNotTrash (named: NamedBlob | undefined): string | undefined {
  const state = named?.state
  if (state === 'superseded' || state === 'deleted') return undefined
  if (state === undefined || state === 'swept') return 'There is no file with this id, nor an attachment.'
  if (state === 'purging') return 'It is being removed for good.'
  return state === 'live' ? 'It is not in the trash: it is live.' : 'It is not in the trash: nobody has claimed it yet.'
}
