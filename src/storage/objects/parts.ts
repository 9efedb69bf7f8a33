// Brings a file of this machine to a store in parts: each read when it is its turn, few at once in the whole process. Not how they are sent.
import { createHash, type Hash } from 'node:crypto'
import { fileSystem, type FileHandle } from '../fs.ts'
import type { SourceFile } from './objects.ts'
import { withMemory } from './part-memory.ts'

/** Numbered from 1. The bytes are there until it is sent, and no longer. */
export type Part = { readonly number: number, readonly bytes: Buffer, readonly digest: Buffer }

/** What the store holds a part against when it gets it. */
type Division = { readonly bytesPerPart: number, readonly algorithm: 'sha256' | 'md5' }

/** So that one large file does not keep the line from all others. */
const partsOfOneFile = 4

/** Hashed in pieces, so that nobody else waits long meanwhile. */
const pieceBytes = 1024 ** 2

/** Calls `send` with each part, several at a time and in no order, and gives what they return in order. With a failure the others are aborted and waited for. */
export async function inParts<T> (source: SourceFile, { bytesPerPart, algorithm }: Division, send: (part: Part, signal: AbortSignal) => Promise<T>, outer?: AbortSignal): Promise<T[]> {
  const failure = new AbortController()
  const signal = outer === undefined ? failure.signal : AbortSignal.any([outer, failure.signal])
  const handle = await fileSystem.open(source.path, 'r')
  try {
    await expectSize(handle, source)
    const count = Math.max(1, Math.ceil(source.size / bytesPerPart))
    const results: T[] = []
    let next = 0

    async function sendOne (index: number): Promise<void> {
      const start = index * bytesPerPart
      const length = Math.min(bytesPerPart, source.size - start)
      await withMemory(length, signal, async (bytes) => {
        const hash = createHash(algorithm)
        await readPart(handle, source.path, start, bytes, hash)
        results[index] = await send({ number: index + 1, bytes, digest: hash.digest() }, signal)
      })
    }
    async function sendSome (): Promise<void> {
      try {
        while (next < count) await sendOne(next++)
      } catch (error) {
        failure.abort(error)
        throw error
      }
    }
    const workers = await Promise.allSettled(Array.from({ length: Math.min(partsOfOneFile, count) }, sendSome))
    if (workers.some(({ status }) => status === 'rejected')) throw signal.reason
    return results
  } finally {
    await handle.close()
  }
}

async function expectSize (handle: FileHandle, { path, size }: SourceFile): Promise<void> {
  const stat = await handle.stat()
  if (stat.size !== size) throw new Error(`${path} has ${stat.size} bytes and not ${size}`)
}

async function readPart (handle: FileHandle, path: string, start: number, bytes: Buffer, hash: Hash): Promise<void> {
  for (let filled = 0; filled < bytes.length;) {
    const { bytesRead } = await handle.read(bytes, filled, Math.min(pieceBytes, bytes.length - filled), start + filled)
    if (bytesRead === 0) throw new Error(`${path} ends after ${start + filled} bytes`)
    hash.update(bytes.subarray(filled, filled + bytesRead))
    filled += bytesRead
  }
}
