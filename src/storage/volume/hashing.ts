// The sha-256 of a file while its bytes come: of a small one here, of a large one on a thread of its own, which all of them share.
import { createHash } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { leastPriority, lessBy } from '../../priority.ts'
import { mediumBytes } from './blocks.ts'

export type Hashing = {
  /** In order; the next may be given before the last is done. Returns the same bytes, perhaps in another buffer: the given one must not be used any more. */
  update (bytes: Buffer): Promise<Buffer>
  /** Once, lower-case hex. */
  digest (): Promise<string>
  /** For who does not want to know any more. */
  drop (): void
}

/** `bytes`: how many will come, where that is not to be told by the first. `source`: of the thread; for tests. @throws what ended the thread, from each call whose bytes it had */
export function createHashing ({ bytes, source = ofThread }: { bytes?: number, source?: string } = {}): Hashing {
  let chosen: Hashing | undefined
  return {
    update (block) {
      // Only the last of a file that comes in one go is smaller than that.
      chosen ??= (bytes ?? block.length) >= mediumBytes ? onThread(source) : here()
      return chosen.update(block)
    },
    digest: () => (chosen ?? here()).digest(),
    drop: () => chosen?.drop(),
  }
}

function here (): Hashing {
  const hash = createHash('sha256')
  return {
    async update (bytes) {
      hash.update(bytes)
      return bytes
    },
    digest: async () => hash.digest('hex'),
    drop: () => {},
  }
}

// It lowers its own priority as `answerFirst` does that of others: it cannot be told its number from outside.
const ofThread = `
  const { getPriority, setPriority } = require('node:os')
  try {
    if (process.platform === 'linux') setPriority(Math.min(${leastPriority}, getPriority() + ${lessBy}))
  } catch {}
  const { parentPort } = require('node:worker_threads')
  const { createHash } = require('node:crypto')
  const hashes = new Map()
  parentPort.on('message', ({ id, bytes, isLast }) => {
    if (!hashes.has(id)) hashes.set(id, createHash('sha256'))
    const hash = hashes.get(id)
    if (bytes !== undefined) {
      hash.update(bytes)
      return parentPort.postMessage(bytes, [bytes.buffer])
    }
    hashes.delete(id)
    if (isLast) parentPort.postMessage(hash.digest('hex'))
  })
`

type Thread = ReturnType<typeof startThread>

let shared: Thread | undefined
let lastId = 0

function startThread (source: string) {
  const worker = new Worker(source, { eval: true, execArgv: [], resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16 } })
  const asked: Array<PromiseWithResolvers<unknown>> = []
  let ended: { readonly error: unknown } | undefined

  function end (error: unknown): void {
    ended ??= { error }
    if (shared === thread) shared = undefined
    for (const { reject } of asked.splice(0)) reject(ended.error)
  }

  worker.on('message', (answer) => {
    asked.shift()?.resolve(answer)
    // A process that ends does not wait for it.
    if (asked.length === 0) worker.unref()
  })
  worker.on('error', end)
  worker.on('exit', (code) => end(new Error(`The thread that hashes ended with ${code}.`)))
  worker.unref()

  const thread = {
    tell: (message: object, moved: ArrayBuffer[] = []): void => worker.postMessage(message, moved),
    /** Answers come in the order of the questions. */
    async ask (message: object, moved?: ArrayBuffer[]): Promise<unknown> {
      if (ended !== undefined) throw ended.error
      thread.tell(message, moved)
      const answer = Promise.withResolvers<unknown>()
      asked.push(answer)
      worker.ref()
      return answer.promise
    },
  }
  return thread
}

function onThread (source: string): Hashing {
  const thread = shared ??= startThread(source)
  const id = lastId += 1
  return {
    async update (bytes) {
      const answer = await thread.ask({ id, bytes }, [bytes.buffer as ArrayBuffer]) as Uint8Array
      return Buffer.from(answer.buffer, 0, answer.byteLength)
    },
    digest: async () => await thread.ask({ id, isLast: true }) as string,
    drop: () => thread.tell({ id }),
  }
}
