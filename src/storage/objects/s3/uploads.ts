// Puts objects into an S3-compatible store: in one request, or in parts that become an object together.
import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { AbortMultipartUploadCommand, CompleteMultipartUploadCommand, CreateMultipartUploadCommand, HeadObjectCommand, PutObjectCommand, UploadPartCommand, type CompletedPart } from '@aws-sdk/client-s3'
import { ObjectsUnavailable, ObjectTaken, type Key, type Put, type SourceFile } from '../objects.ts'
import { partBytes } from '../part-memory.ts'
import { inParts, type Part } from '../parts.ts'
import { sending, signed, type Clients } from './client.ts'
import { isUnknown, told, type Failures } from './failures.ts'

/** The most that S3 takes for one object. */
const mostParts = 10_000

const mostTries = 4

type Options = { clients: Pick<Clients, 'calls' | 'completing'>, bucket: string, nameOf: (key: Key) => string, failures: Failures }

/** An object as it is there: who put it, and its size. */
type Written = { readonly writer: string | undefined, readonly size: number | undefined }

type Upload = { readonly Bucket: string, readonly Key: string, readonly UploadId: string | undefined }

export function createUploads ({ clients: { calls, completing }, bucket, nameOf, failures: { telling } }: Options) {
  const objectOf = (key: Key) => ({ Bucket: bucket, Key: nameOf(key) })

  async function written (key: Key): Promise<Written | undefined> {
    try {
      const { Metadata, ContentLength } = await calls.send(new HeadObjectCommand(objectOf(key)))
      return { writer: Metadata?.['writer'], size: ContentLength }
    } catch (error) {
      if (told(error).status === 404) return undefined
      throw error
    }
  }

  async function isWritten (key: Key, writer: string, size: number): Promise<boolean> {
    const found = await written(key)
    return found?.writer === writer && found.size === size
  }

  /**
   * The signature covers the sha-256 of the bytes, and the store holds what it gets against it.
   * `writer` tells our own object from another's: the answer to an attempt may be lost, and the next finds something there.
   */
  async function putWhole (key: Key, bytes: Buffer, sha256: string, { ifAbsent = false }: Put, signal: AbortSignal | undefined): Promise<void> {
    const writer = randomUUID()
    const condition = ifAbsent ? { IfNoneMatch: '*' } : {}
    for (let tries = 1; ; tries += 1) {
      try {
        await calls.send(signed(new PutObjectCommand({ ...objectOf(key), ...condition, Body: bytes, ContentLength: bytes.length, Metadata: { writer } }), sha256), sending(bytes.length, signal))
        return
      } catch (error) {
        const { status } = told(error)
        if (status !== 412 && status !== 409) throw error
        if (await isWritten(key, writer, bytes.length)) return
        // 409: another write of this name is under way, and which of them wins is not decided.
        if (status === 412 || tries === mostTries) throw error
      }
      await pause(50 * tries)
    }
  }

  async function sendPart (upload: Upload, { number, bytes, digest }: Part, signal: AbortSignal): Promise<CompletedPart> {
    const { ETag } = await calls.send(signed(new UploadPartCommand({ ...upload, PartNumber: number, Body: bytes, ContentLength: bytes.length }), digest.toString('hex')), sending(bytes.length, signal))
    return { PartNumber: number, ETag }
  }

  async function sendParts (key: Key, source: SourceFile, upload: Upload, signal: AbortSignal | undefined): Promise<CompletedPart[]> {
    const bytesPerPart = Math.max(partBytes, Math.ceil(source.size / mostParts))
    try {
      const parts = await inParts(source, { bytesPerPart, algorithm: 'sha256' }, (part, partSignal) => telling(key, signal, () => sendPart(upload, part, partSignal)), signal)
      signal?.throwIfAborted()
      return parts
    } catch (error) {
      await abort(upload)
      throw error
    }
  }

  async function complete (upload: Upload, parts: CompletedPart[], condition: { IfNoneMatch?: string }, isDone: () => Promise<boolean>): Promise<void> {
    try {
      await completing.send(new CompleteMultipartUploadCommand({ ...upload, ...condition, MultipartUpload: { Parts: parts } }))
    } catch (error) {
      if (await isDone().catch(() => false)) return
      // Of a completion that may still be going on nothing is taken away: `sweepUnfinished` finds what is left of it.
      if (!isUnknown(error)) await abort(upload)
      throw error
    }
  }

  /** What it cannot end now is ended by `sweepUnfinished`. */
  const abort = (upload: Upload): Promise<unknown> => calls.send(new AbortMultipartUploadCommand(upload)).catch(() => {})

  /**
   * Amazon S3 refuses to complete over an object with If-None-Match; Ceph 16 takes the header and ignores it, so we look before and after.
   * Two who put one key in parts at the same moment could still both succeed there, and the last one stays: with `ifAbsent` the keys of large objects must be fresh ids, as those of blobs are.
   */
  async function putParts (key: Key, source: SourceFile, { ifAbsent = false, signal }: Put): Promise<void> {
    const writer = randomUUID()
    if (ifAbsent && await telling(key, signal, () => written(key)) !== undefined) throw new ObjectTaken(key)
    const { UploadId } = await telling(key, signal, () => calls.send(new CreateMultipartUploadCommand({ ...objectOf(key), Metadata: { writer } })))
    const upload = { ...objectOf(key), UploadId }
    const parts = await sendParts(key, source, upload, signal)
    await telling(key, undefined, () => complete(upload, parts, ifAbsent ? { IfNoneMatch: '*' } : {}, () => isWritten(key, writer, source.size)))
    const found = await telling(key, undefined, () => written(key))
    if (found?.writer === writer && found.size !== source.size) throw new ObjectsUnavailable(`${key} has ${found.size} bytes in the store and not ${source.size}`)
    if (ifAbsent && found?.writer !== writer) throw new ObjectTaken(key)
  }

  return {
    async putFile (key: Key, source: SourceFile, put: Put = {}): Promise<void> {
      if (source.size > partBytes) return await putParts(key, source, put)
      const whole = { bytesPerPart: partBytes, algorithm: 'sha256' } as const
      await inParts(source, whole, ({ bytes, digest }, signal) => telling(key, put.signal, () => putWhole(key, bytes, source.sha256 ?? digest.toString('hex'), put, signal)), put.signal)
    },

    putBytes: (key: Key, bytes: Buffer, put: Put = {}): Promise<void> =>
      telling(key, put.signal, () => putWhole(key, bytes, createHash('sha256').update(bytes).digest('hex'), put, put.signal)),
  }
}
