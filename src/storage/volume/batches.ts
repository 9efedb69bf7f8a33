// Chunks of any size as few writes into one file, while more come. What comes is copied: a chunk is its owner's again when it was added.
import type { FileHandle } from '../fs.ts'
import { filledBlock, giveBlock, inTurn, mediumBytes, takeBlock } from './blocks.ts'
import { writeAll } from './durable.ts'

/** What is dirty by then, the disk writes meanwhile: the last sync is a short one. */
const syncEveryBytes = 32 * 1024 ** 2

export type Batches = ReturnType<typeof createBatches>

type Options = {
  /** Has each block, in order, before it is written; gives back the same bytes. */
  pass?: (block: Buffer) => Promise<Buffer>
  /** Bytes that the file has already: what comes goes behind them. */
  from?: number
  /** Makes durable what was written so far. Without it nothing is synced here. */
  sync?: () => Promise<void>
}

/** Of all files: others need the threads too. */
let isSyncing = false

/** `checkSpace` is asked before each write; it throws StorageFull when the reserve of free space is touched. */
export function createBatches (handle: FileHandle, checkSpace: () => Promise<void>, { pass = async (block) => block, from = 0, sync }: Options = {}) {
  let block: Buffer | undefined
  let filled = 0
  let sent = from
  let unsynced = 0
  let isStopped = false
  let failure: { readonly error: unknown } | undefined
  /** The last of those that have begun, each of which waits for the one before. */
  let writing = Promise.resolve()
  let syncing: Promise<void> | undefined
  let head: Buffer | undefined

  const remember = (error: unknown): void => { failure ??= { error } }

  /** All writes that have begun, and what they have begun in turn. */
  async function settled (): Promise<void> {
    await writing
    await syncing
  }

  /** @throws why a write failed, once; from then on always, as the file has a hole */
  function throwFailure (): void {
    if (isStopped) throw new Error('A write failed before: the file has a hole.')
    if (failure === undefined) return
    isStopped = true
    throw failure.error
  }

  async function write (bytes: Buffer, position: number, before: Promise<void>): Promise<void> {
    if (failure !== undefined || isStopped) return giveBlock(whole(bytes))
    // Two at once would wait for each other in the kernel, each on a thread that others need.
    const [passed] = await Promise.all([pass(bytes), checkSpace(), before])
    if (failure !== undefined || isStopped) return giveBlock(whole(passed))
    await writeAll(handle, [passed], position)
    unsynced += passed.length
    if (position === 0 && passed.buffer.byteLength < mediumBytes) head = passed
    else giveBlock(whole(passed))
    if (sync === undefined || isSyncing || unsynced < syncEveryBytes) return
    unsynced = 0
    isSyncing = true
    syncing = sync().catch(remember).finally(() => { isSyncing = false })
  }

  /** Resolves when the next block may be filled. */
  async function send (): Promise<void> {
    if (block === undefined) return
    const full = block
    const bytes = full.subarray(0, filled)
    const position = sent
    sent += filled
    block = undefined
    filled = 0
    const { promise: hasBegun, resolve: begun } = Promise.withResolvers<void>()
    const before = writing
    writing = inTurn(() => write(bytes, position, before), () => { filledBlock(full); begun() }).catch(remember)
    await hasBegun
  }

  function fill (chunk: Buffer): number {
    block ??= takeBlock(chunk.length)
    if (block.length < mediumBytes && filled + chunk.length > block.length) {
      const larger = takeBlock(mediumBytes)
      block.copy(larger, 0, 0, filled)
      giveBlock(block)
      block = larger
    }
    const count = chunk.copy(block, filled)
    filled += count
    return count
  }

  return {
    /** Await it before the next. Throws also what became of what was added before. */
    async add (chunk: Buffer): Promise<void> {
      throwFailure()
      for (let rest = chunk; rest.length > 0;) {
        rest = rest.subarray(fill(rest))
        if (filled < mediumBytes || filled !== block?.length) continue
        await send()
        // Another block would be given back by nobody.
        if (isStopped) return
      }
    },

    /** All that was added up to now is in the file. Returns how many bytes that has. @throws what a write does */
    async flush (): Promise<number> {
      throwFailure()
      const begun = send()
      // More may be added meanwhile.
      const bytes = sent
      await begun
      await settled()
      throwFailure()
      return bytes
    },

    /** Begins no more writes, and waits for those under way. */
    async stop (): Promise<void> {
      isStopped = true
      if (block !== undefined) {
        filledBlock(block)
        giveBlock(block)
        block = undefined
      }
      await settled()
      if (head !== undefined) giveBlock(whole(head))
      head = undefined
    },

    /** What was written first, of a file that began with no more than a small block, until it is stopped. */
    get head () { return head },

    /** Bytes of the file with all that was added so far. */
    get size () { return sent + filled },
  }
}

const whole = ({ buffer }: Buffer): Buffer => Buffer.from(buffer)
