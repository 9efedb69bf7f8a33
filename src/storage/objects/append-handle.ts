// A journal opened for appending in an object store: what is written until it is to be durable becomes one more object behind the name.
import type { Stats } from 'node:fs'
import { v7 } from 'uuid'
import { findGrown, partKey } from './grown.ts'
import type { Key, Objects } from './objects.ts'
import { inodeOf, statsOf } from './stats.ts'

export function createAppendHandle (objects: Objects, key: Key) {
  let chunks: Buffer[] = []
  let isThere = false

  /** One that failed is not tried again by the close behind it: it may have come through. */
  async function put (): Promise<void> {
    const bytes = Buffer.concat(chunks)
    chunks = []
    isThere = true
    await objects.putBytes(partKey(key, v7()), bytes)
  }

  async function flush (): Promise<void> {
    if (chunks.length > 0) return put()
    if (isThere) return
    // To open it makes it.
    if (await findGrown(objects, key) === undefined) await put()
    isThere = true
  }

  return {
    /** As with O_APPEND: the position says nothing. */
    async writev (given: readonly Buffer[]) {
      // Whoever reuses its buffers may do so now.
      const bytes = Buffer.concat(given)
      chunks.push(bytes)
      return { bytesWritten: bytes.length }
    },
    /** How long it is is not known. */
    stat: async (): Promise<Stats> => statsOf({ is: 'file', size: 0, modifiedAt: new Date(), ino: inodeOf(objects.name, key) }),
    sync: flush,
    close: flush,
  }
}
