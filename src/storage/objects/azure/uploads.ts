// Puts blobs into an Azure container: in one request, or in blocks that become a blob together.
import { createHash, randomUUID } from 'node:crypto'
import type { BlockBlobClient } from '@azure/storage-blob'
import { ObjectsUnavailable, ObjectTaken, type Key, type Put, type SourceFile } from '../objects.ts'
import { partBytes } from '../part-memory.ts'
import { inParts } from '../parts.ts'
import { sendingMs, shortMs } from './client.ts'
import { told, within, type Failures } from './failures.ts'

/** The most that one blob may have. */
const mostBlocks = 50_000

/** 400 is what a commit gets whose blocks are no longer there: it was made, or another one was. */
const mayBeOurs = new Set([400, 409, 412])

type Options = { blobOf: (key: Key) => BlockBlobClient, failures: Failures }

/** A blob as it is there: who put it, and its size. */
type Written = { readonly writer: string | undefined, readonly size: number | undefined }

export function createUploads ({ blobOf, failures: { telling } }: Options) {
  async function written (blob: BlockBlobClient): Promise<Written | undefined> {
    try {
      const { metadata, contentLength } = await within(shortMs, undefined, (abortSignal) => blob.getProperties({ abortSignal }))
      return { writer: metadata?.['writer'], size: contentLength }
    } catch (error) {
      if (told(error).status === 404) return undefined
      throw error
    }
  }

  /**
   * Makes the blob by `work`. `writer` tells our own blob from another's: the answer to an attempt may be lost, and the next finds something there.
   * @throws ObjectTaken, and what `work` throws
   */
  async function make (key: Key, size: number, ifAbsent: boolean, work: (options: { metadata: { writer: string }, conditions: { ifNoneMatch?: string } }) => Promise<unknown>): Promise<void> {
    const writer = randomUUID()
    try {
      await work({ metadata: { writer }, conditions: ifAbsent ? { ifNoneMatch: '*' } : {} })
    } catch (error) {
      if (!mayBeOurs.has(told(error).status)) throw error
      const found = await written(blobOf(key))
      if (found?.writer === writer && found.size === size) return
      if (ifAbsent && found !== undefined) throw new ObjectTaken(key, { cause: error })
      throw error
    }
  }

  /** The service holds what it gets against the digest. */
  const putWhole = (key: Key, bytes: Buffer, md5: Buffer, { ifAbsent = false }: Put, signal: AbortSignal | undefined): Promise<void> =>
    make(key, bytes.length, ifAbsent, (options) => within(sendingMs(bytes.length), signal, (abortSignal) =>
      blobOf(key).upload(bytes, bytes.length, { ...options, abortSignal, transactionalContentMD5: md5 })))

  /** Blocks that are never committed are nothing to be seen, and the service drops them after a week. */
  async function putBlocks (key: Key, source: SourceFile, { ifAbsent = false, signal }: Put): Promise<void> {
    const blob = blobOf(key)
    if (ifAbsent && await telling(key, signal, () => written(blob)) !== undefined) throw new ObjectTaken(key)
    const upload = randomUUID()
    const division = { bytesPerPart: Math.max(partBytes, Math.ceil(source.size / mostBlocks)), algorithm: 'md5' } as const
    const blocks = await inParts(source, division, async ({ number, bytes, digest }, partSignal) => {
      // Of two uploads to one name neither may take a block of the other for its own. All ids of a blob are of one length.
      const id = Buffer.from(`${upload}-${String(number).padStart(6, '0')}`).toString('base64')
      await telling(key, signal, () => within(sendingMs(bytes.length), partSignal, (abortSignal) =>
        blob.stageBlock(id, bytes, bytes.length, { abortSignal, transactionalContentMD5: digest })))
      return id
    }, signal)
    signal?.throwIfAborted()
    await telling(key, undefined, () => make(key, source.size, ifAbsent, (options) => within(shortMs * 2, undefined, (abortSignal) =>
      blob.commitBlockList(blocks, { ...options, abortSignal }))))
    const found = await telling(key, undefined, () => written(blob))
    if (ifAbsent && found?.size !== source.size) throw new ObjectsUnavailable(`${key} has ${found?.size} bytes in the store and not ${source.size}`)
  }

  return {
    async putFile (key: Key, source: SourceFile, put: Put = {}): Promise<void> {
      if (source.size > partBytes) return await putBlocks(key, source, put)
      const whole = { bytesPerPart: partBytes, algorithm: 'md5' } as const
      await inParts(source, whole, ({ bytes, digest }, signal) => telling(key, put.signal, () => putWhole(key, bytes, digest, put, signal)), put.signal)
    },

    putBytes: (key: Key, bytes: Buffer, put: Put = {}): Promise<void> =>
      telling(key, put.signal, () => putWhole(key, bytes, createHash('md5').update(bytes).digest(), put, put.signal)),
  }
}
