// What time leaves of resumable uploads: those that expired, and folders of bytes that nobody needs any more, are removed.
import { setImmediate } from 'node:timers/promises'
import type { Segments } from '../storage/segments.ts'
import type { ResumableRecords } from './records.ts'
import type { Room } from './room.ts'

/** So much longer than its bytes would be kept is tried what cannot be finished right now. */
export const finishPatienceMs = 7 * 86_400_000

const mostPerRun = 500

/** Looked at in one go, before requests have their turn. */
const foldersAtOnce = 100

type Options = {
  records: Pick<ResumableRecords, 'expired' | 'removeExpired' | 'inUse'>
  segments: Pick<Segments, 'uploads' | 'remove'>
  room: Pick<Room, 'release'>
}

export function createUpkeep ({ records, segments, room }: Options) {
  async function removeExpired (): Promise<number> {
    let removed = 0
    for (const { id } of await records.expired(finishPatienceMs, mostPerRun)) {
      // Somebody may have gone on with it meanwhile.
      if (!await records.removeExpired(id, finishPatienceMs)) continue
      room.release(id)
      await segments.remove(id)
      removed += 1
    }
    return removed
  }

  async function removeUnused (): Promise<number> {
    let removed = 0
    const folders = await segments.uploads()
    for (let at = 0; at < folders.length; at += foldersAtOnce) {
      await setImmediate()
      const group = folders.slice(at, at + foldersAtOnce)
      const used = await records.inUse(group)
      for (const id of group.filter((one) => !used.has(one))) {
        await segments.remove(id)
        removed += 1
      }
    }
    return removed
  }

  /** Removes what expired and what nobody needs any more. Returns how many. */
  return async (): Promise<number> => await removeExpired() + await removeUnused()
}
