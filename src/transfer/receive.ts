// The bytes of a request into staging, in bounded memory: the files of a multipart body, or the body itself. Neither judges nor publishes them.
import fastifyMultipart from '@fastify/multipart'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { UploadMissing, UploadTooLarge } from '../errors.ts'
import type { StagedFile, Store } from '../storage/store.ts'
import { maxBodyBytes } from './admission.ts'
import { createBodyDigest } from './body-digest.ts'
import { watchIncoming } from './incoming.ts'
import { receiveMultipart } from './multipart.ts'
import { receiveRawBody } from './raw-body.ts'
import { createStagingArea } from './staging-area.ts'
import type { Pace } from './watchdog.ts'

export { admit } from './admission.ts'

export type ReceivedFile = {
  /** Finished; the caller publishes or discards it. */
  readonly staged: StagedFile
  /** Bytes. */
  readonly size: number
  /** Lower-case hex. */
  readonly sha256: string
  /** Empty for a raw body. */
  readonly fieldName: string
  /** Cleaned; undefined when the client gave none, or nothing of it was left. */
  readonly filename: string | undefined
  /** What the client says it is; not to be believed. */
  readonly declaredType: string | undefined
  /** The named fields that came before this file. */
  readonly fields: Readonly<Record<string, string>>
}

export type ReceiveOptions = Pace & {
  readonly store: Pick<Store, 'stage' | 'reserve'>
  /** Of each file. */
  readonly maxBytes: number
  readonly maxFiles: number
  readonly extraFiles: 'ignored' | 'refused'
  /** Form fields to hand over; others are read and forgotten. */
  readonly fieldNames: readonly string[]
  /** Those that may come several times before a file: they are handed over as one text, comma separated. */
  readonly listNames?: readonly string[]
  /** Hears of each of them as it comes. */
  readonly onField?: (name: string, value: string) => void
  /** Ends the upload; the reason is the error to answer with. */
  readonly signal?: AbortSignal
}

/** For a scope of its own, before its routes: bodies of any type reach them unread. */
export const acceptUploads: FastifyPluginAsync = fp(async (app) => {
  app.addHook('onRoute', (route) => { route.config = { ...route.config, takesUploads: true } })
  app.removeAllContentTypeParsers()
  await app.register(fastifyMultipart)
  app.addContentTypeParser('*', (_request, _body, done) => done(null))
}, { name: 'accept-uploads' })

/**
 * All files of the request, staged and finished. Each must then be published or discarded.
 * @throws after discarding all: the reason of `signal`, UploadMissing, UploadMalformed, UploadFieldInvalid, UploadTooLarge, UploadFilesExceeded, UploadStalled, UploadAborted,
 * DigestInvalid, UploadDigestMismatch, and what the store throws
 */
export async function receive (request: FastifyRequest, options: ReceiveOptions): Promise<ReceivedFile[]> {
  const isMultipart = request.isMultipart()
  const { maxBytes, idleMs, minBytesPerSecond } = options
  const digest = createBodyDigest(request.raw, isMultipart)
  const incoming = watchIncoming(request.raw, {
    maxBodyBytes: maxBodyBytes(options, isMultipart),
    tooLarge: () => new UploadTooLarge(maxBytes),
    onChunk: digest.update,
    idleMs,
    minBytesPerSecond,
  })
  const end = () => incoming.fail(options.signal?.reason)
  options.signal?.addEventListener('abort', end, { once: true })
  if (options.signal?.aborted === true) end()
  const staging = createStagingArea(options.store, incoming)
  try {
    const files = await (isMultipart ? receiveMultipart : receiveRawBody)(request, options, incoming, staging)
    await incoming.ended()
    digest.check()
    if (files.length === 0) throw new UploadMissing()
    return files
  } catch (error) {
    await staging.discardAll()
    throw incoming.signal.aborted ? incoming.signal.reason : error
  } finally {
    options.signal?.removeEventListener('abort', end)
    incoming.release()
  }
}
