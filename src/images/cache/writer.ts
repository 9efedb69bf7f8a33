// Keeping variants that are being served already: one after the other, within the budget. What cannot be kept is made again some day.
import pLimit from 'p-limit'
import { errnoOf } from '../../storage/failures.ts'
import type { Entry } from './entry.ts'
import { encodeHeader, maxHeaderBytes } from './entry-file.ts'
import type { Folder } from './folder.ts'
import { keyOf, maxEntryBytes, type Place } from './layout.ts'
import type { Warn } from './occasional.ts'
import type { Room } from './room.ts'
import { diskBytes } from './walk.ts'

/** What may wait for a slow disk. */
const maxWaitingBytes = 64 * 1024 ** 2

/** Whether the blob is there still, as far as others know. */
export type IsWanted = () => Promise<boolean>

type Put = {
  readonly place: Place
  readonly entry: Entry
  readonly bytes: Buffer
  readonly isWanted: IsWanted
}

export type Writer = ReturnType<typeof createWriter>

type Options = {
  files: Pick<Folder, 'write' | 'forget'>
  room: Pick<Room, 'take'>
  /** Throws when there is no space for what can be made again. */
  checkSpace: () => Promise<void>
  /** Hears of bytes that are kept from now on. */
  onKept?: (bytes: number) => void
  warn: Warn
}

export function createWriter ({ files, room, checkSpace, onKept = () => {}, warn }: Options) {
  /** Of each variant the last. */
  const waiting = new Map<string, Put>()
  // So that the room which one has taken is not counted upon by another.
  const lane = pLimit(1)
  let waitingBytes = 0
  let isClosed = false
  let last: Promise<void> = Promise.resolve()

  async function keep (put: Put): Promise<void> {
    const chunks = [encodeHeader(keyOf(put.place), put.entry), put.bytes]
    const bytes = diskBytes(chunks.reduce((sum, { length }) => sum + length, 0))
    await checkSpace()
    if (isClosed) return
    const taken = await room.take(bytes)
    if (taken === undefined) return
    let isKept = false
    try {
      isKept = !isClosed && await write(put, chunks)
    } finally {
      taken(isKept)
    }
    if (isKept) onKept(bytes)
  }

  /** Whether it is kept. */
  async function write ({ place, isWanted }: Put, chunks: readonly Buffer[]): Promise<boolean> {
    await files.write(place, chunks)
    if (await isWanted().catch(() => false)) return true
    await files.forget(place.blobId)
    return false
  }

  /** That somebody removed the folder, or the blob, in between is no trouble. */
  function tell (error: unknown): void {
    if (errnoOf(error) !== 'ENOENT') warn(error, 'The picture cache cannot be written; pictures are served all the same, and made again the next time.')
  }

  return {
    /** Keeps it in the background. */
    keep (place: Place, entry: Entry, bytes: Buffer, isWanted: IsWanted): void {
      if (isClosed || bytes.length > maxEntryBytes - maxHeaderBytes || waitingBytes + bytes.length > maxWaitingBytes) return
      const key = keyOf(place)
      const put: Put = { place, entry, bytes, isWanted }
      waiting.set(key, put)
      waitingBytes += bytes.length
      last = lane(() => keep(put)).catch(tell).finally(() => {
        waitingBytes -= bytes.length
        if (waiting.get(key) === put) waiting.delete(key)
      })
    },

    /** What is on its way into the folder. */
    get: (place: Place): Entry | undefined => waiting.get(keyOf(place))?.entry,

    /** What is not being written yet is not kept. */
    async close (): Promise<void> {
      isClosed = true
      await last
    },

    get waitingBytes (): number { return waitingBytes },
  }
}
