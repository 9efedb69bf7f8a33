// Small files opened for writing in an object store: their bytes are held here, and put as a whole when they are to be durable.
import type { Stats } from 'node:fs'
import { errno } from './errno.ts'
import { statsOf } from './stats.ts'

/** Identities, heartbeats, sidecars. What is larger is written to staging first, and renamed. */
const mostBytes = 8 * 1024 ** 2

type Options = {
  readonly path: string
  readonly ino: number
  /** What is in it already. */
  readonly bytes: Buffer
  /** Nothing is there yet; an empty file is one too. */
  readonly isNew: boolean
  /** Makes these bytes the content of the object, durably. `isFirst`: nothing was put before. */
  readonly put: (bytes: Buffer, isFirst: boolean) => Promise<void>
}

export function createWriteHandle ({ path, ino, bytes: given, isNew, put }: Options) {
  let bytes = given
  let isDirty = isNew
  let isFirst = true

  function place (chunk: Buffer, position: number): void {
    const size = Math.max(bytes.length, position + chunk.length)
    if (size > mostBytes) throw errno('EFBIG', 'write', path)
    const grown = Buffer.alloc(size)
    bytes.copy(grown)
    chunk.copy(grown, position)
    bytes = grown
    isDirty = true
  }

  /** One that failed is not tried again by the close behind it: whoever was told so may have gone on already. */
  async function flush (): Promise<void> {
    if (!isDirty) return
    isDirty = false
    await put(bytes, isFirst)
    isFirst = false
  }

  return {
    /** Behind the end when no position is given. */
    async write (text: string | Buffer, position: number | null = null) {
      const chunk = Buffer.from(text)
      place(chunk, position ?? bytes.length)
      return { bytesWritten: chunk.length }
    },
    async writev (chunks: readonly Buffer[], position: number | null = null) {
      const chunk = Buffer.concat(chunks)
      place(chunk, position ?? bytes.length)
      return { bytesWritten: chunk.length }
    },
    stat: async (): Promise<Stats> => statsOf({ is: 'file', size: bytes.length, modifiedAt: new Date(), ino }),
    sync: flush,
    close: flush,
  }
}
