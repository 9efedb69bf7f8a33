// Chunks of any size as few writes, one after the other into one file. Syncs nothing.
import type { FileHandle } from '../fs.ts'
import { writeAll } from './durable.ts'

/** One write of 1 MiB costs about what one of 64 KiB does. */
const batchBytes = 1024 ** 2

/** A client that sends single bytes must not fill the memory with a Buffer for each. */
const batchChunks = 1024

export type Batches = ReturnType<typeof createBatches>

/** `checkSpace` is asked before each write; it throws StorageFull when the reserve of free space is touched. */
export function createBatches (handle: FileHandle, checkSpace: () => Promise<void>) {
  let batch: Buffer[] = []
  let batched = 0
  let written = 0
  let hasHole = false

  /** All that was added is in the file. @throws what the write does; from then on always, as the file has a hole */
  async function flush (): Promise<void> {
    if (hasHole) throw new Error('A write failed before: the file has a hole.')
    if (batched === 0) return
    const chunks = batch
    const position = written
    written += batched
    batch = []
    batched = 0
    try {
      await checkSpace()
      await writeAll(handle, chunks, position)
    } catch (error) {
      hasHole = true
      throw error
    }
  }

  return {
    flush,
    /** Await it before the next. */
    async add (chunk: Buffer): Promise<void> {
      batch.push(chunk)
      batched += chunk.length
      if (batched >= batchBytes || batch.length >= batchChunks) await flush()
    },
    /** Bytes in the file. */
    get written () { return written },
    /** Bytes added so far. */
    get size () { return written + batched },
  }
}
