// Uploads in chunks that go on where they were cut: tus 1.0 as /api/resumable speaks it. Which files are sent so is decided elsewhere.
import { jsonOf, newKey, type Call } from './call.ts'
import { createChunks, type Chunks } from './chunks.ts'
import { checksumOf } from './digest.ts'
import { UploadGatewayError, type ErrorCode } from './error.ts'
import { createPatience, patiently, pause, type Pace } from './patience.ts'
import { telling, type OnProgress } from './progress.ts'
import type { ResumableUpload } from './shapes.ts'
import type { Unfinished } from './unfinished.ts'

export type Sending = {
  /** For Upload-Metadata: what is to be known of the file. */
  readonly said: Readonly<Record<string, string>>
  /** Under which it is found again after a reload; not at all without. */
  readonly fingerprint: string | undefined
  readonly key?: string | undefined
  readonly maxChunkBytes: number
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

export type Resumable = {
  /** What the file has become. @throws UploadGatewayError; the reason of the signal: what cannot be continued later is ended then */
  send: (file: Blob, sending: Sending) => Promise<ResumableUpload>
  /** Ends what was begun of it and could be continued, if there is any. @throws UploadGatewayError */
  abandon: (file: Blob, sending: Sending) => Promise<void>
}

const path = '/api/resumable'
const tus = { 'Tus-Resumable': '1.0.0' }

export function createResumable ({ call, unfinished, pace, now = Date.now }: { call: Call, unfinished: Unfinished, pace: Pace, now?: () => number }): Resumable {
  /** By fingerprint: being sent from here. */
  const running = new Map<string, Promise<ResumableUpload>>()

  const remembered = async (memory: string | undefined): Promise<string | undefined> => memory === undefined ? undefined : unfinished.get(memory)

  /** Where it is, and how much of it is there: an upload that was begun with the same key before is that one. */
  async function create (file: Blob, { said, signal }: Sending, key: string): Promise<{ address: string, offset: number }> {
    const response = await call.once('POST', path, { signal, headers: { ...tus, 'Upload-Length': String(file.size), 'Upload-Metadata': metadataOf(said), 'Idempotency-Key': key } })
    return { address: addressIn(response.headers.get('Location') ?? ''), offset: Number(response.headers.get('Upload-Offset')) }
  }

  async function offsetOf (address: string, signal: AbortSignal | undefined): Promise<number> {
    try {
      return Number((await call.once('HEAD', address, { signal, headers: tus })).headers.get('Upload-Offset'))
    } catch (error) {
      // An answer to HEAD has no body: what is wrong is said by GET, but for what only takes time.
      if (error instanceof UploadGatewayError && error.code === 'ANSWER_UNKNOWN' && error.status < 500 && error.status !== finishing && error.status !== 429) await resultOf(address, signal, error)
      throw error
    }
  }

  /** Sends one chunk. The offset after it. */
  async function append (address: string, file: Blob, offset: number, chunks: Chunks, { signal, onProgress }: Sending): Promise<number> {
    const bytes = await file.slice(offset, offset + chunks.bytes).arrayBuffer()
    const checksum = await checksumOf(bytes)
    const startedAt = now()
    const response = await call.once('PATCH', address, {
      signal,
      headers: { ...tus, 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': String(offset), 'Upload-Checksum': checksum },
      body: new Blob([bytes]),
      bytes: bytes.byteLength,
      onSent: telling(onProgress, { totalBytes: file.size, beforeBytes: offset, bytes: bytes.byteLength }),
    })
    chunks.sent(now() - startedAt)
    return Number(response.headers.get('Upload-Offset'))
  }

  /** @throws UploadGatewayError that ended it; `otherwise` when it is not finished */
  async function resultOf (address: string, signal: AbortSignal | undefined, otherwise = stillFinishing({})): Promise<ResumableUpload> {
    const upload = await jsonOf<ResumableUpload>(await call.once('GET', address, { signal }))
    if (upload.state === 'finished') return upload
    if (upload.failure === undefined) throw otherwise
    const { code, status, detail } = upload.failure
    throw new UploadGatewayError(detail, { code: code as ErrorCode, status })
  }

  /** Where the upload of a key is. To begin it is the way to ask, so that there may have been none. Nothing when it may not begin. */
  async function begunWith (file: Blob, sending: Sending, key: string, beginnings: number): Promise<string | undefined> {
    try {
      return (await patiently({ ...pace, signal: sending.signal }, () => create(file, sending, keyOf(key, beginnings)))).address
    } catch (error) {
      // All of its bytes are there, and it waits for something.
      if (error instanceof UploadGatewayError && error.status === finishing && error.location !== undefined) return addressIn(error.location)
      if (isLost(error)) return begunWith(file, sending, key, beginnings + 1)
      if (isFinal(error)) return undefined
      throw error
    }
  }

  /** One that is finished is let be: its key would begin another. */
  async function end (address: string, signal: AbortSignal | undefined): Promise<void> {
    try {
      const { state } = await call.json<ResumableUpload>('GET', address, { signal })
      if (state !== 'finished') await call.ask('DELETE', address, { headers: tus, signal })
    } catch (error) {
      if (!isLost(error)) throw error
    }
  }

  /** Ends what was aborted and nobody can go on with. Where that fails, it expires by itself. */
  async function leave (find: (signal: AbortSignal) => Promise<string | undefined>): Promise<void> {
    const signal = AbortSignal.timeout(endingMs)
    const left = find(signal).then((address) => address === undefined ? undefined : end(address, signal)).catch(() => {})
    await Promise.race([left, pause(leavingMs)])
  }

  async function sendAll (file: Blob, sending: Sending, fingerprint: string | undefined): Promise<ResumableUpload> {
    const { signal, onProgress, key } = sending
    const ownKey = key ?? newKey()
    const patience = createPatience({ ...pace, signal, also: goesOn })
    const chunks = createChunks(sending.maxChunkBytes)
    let memory = fingerprint
    let address = await remembered(memory)
    let offset: number | undefined
    // A loss of what this call did not begin says nothing of its key.
    let isRemembered = address !== undefined
    let beginnings = 0

    for (;;) {
      try {
        if (address === undefined) {
          ({ address, offset } = await create(file, sending, keyOf(ownKey, beginnings)))
          if (memory !== undefined) await unfinished.set(memory, address)
        }
        offset ??= await offsetOf(address, signal)
        onProgress?.({ sentBytes: offset, totalBytes: file.size })
        while (offset < file.size) {
          offset = await append(address, file, offset, chunks, sending)
          patience.renew()
        }
        const result = await resultOf(address, signal)
        if (memory !== undefined) await unfinished.remove(memory)
        return result
      } catch (failure) {
        const error = failure instanceof UploadGatewayError && failure.status === finishing ? stillFinishing(failure) : failure
        const isAnothers = codeOf(error) === 'RESUMABLE_TAKEN_OVER' && key === undefined
        if (isAnothers || isLost(error)) {
          address = undefined
          if (!isRemembered) beginnings += 1
          isRemembered = false
        }
        // Another page sends the same file: it goes on with that upload, and this becomes one of its own.
        if (isAnothers) memory = undefined
        if (offset !== undefined) chunks.lost()
        offset = undefined
        await patience.after(error).catch(async (final: unknown) => {
          if (memory !== undefined && isFinal(final)) await unfinished.remove(memory)
          if (signal?.aborted === true && key === undefined && (address === undefined || await remembered(memory) !== address)) {
            await leave(async (signal) => address ?? begunWith(file, { ...sending, signal }, ownKey, beginnings))
          }
          throw final
        })
      }
    }
  }

  return {
    async send (file, sending) {
      const { fingerprint, key } = sending
      const before = fingerprint === undefined ? undefined : running.get(fingerprint)
      // The same key is the same upload; without one, the same file twice at once is two.
      if (key !== undefined) await before?.catch(() => {})
      else if (before !== undefined) return sendAll(file, sending, undefined)
      const result = sendAll(file, sending, fingerprint)
      if (fingerprint === undefined) return result
      running.set(fingerprint, result)
      return result.finally(() => { if (running.get(fingerprint) === result) running.delete(fingerprint) })
    },

    async abandon (file, sending) {
      const { fingerprint, key, signal } = sending
      if (fingerprint === undefined) return
      await running.get(fingerprint)?.catch(() => {})
      const address = await remembered(fingerprint) ?? (key === undefined ? undefined : await begunWith(file, sending, key, 0))
      if (address === undefined) return
      await end(address, signal)
      await unfinished.remove(fingerprint)
    },
  }
}

/** For how long it is tried to end an upload that was aborted, and how much of that whoever has aborted it waits. */
const endingMs = 30_000
const leavingMs = 1000

/** Another key for another beginning, or it would be the one before again. */
const keyOf = (key: string, beginnings: number): string => beginnings === 0 ? key : `${key}.${beginnings}`

/** It is to begin anew. */
const lost: ReadonlySet<string> = new Set(['RESUMABLE_NOT_FOUND', 'RESUMABLE_GONE'])

/** Not failures of the upload, but reasons to look where it stands. */
const looksAgain: ReadonlySet<string> = new Set(['RESUMABLE_OFFSET_WRONG', 'RESUMABLE_TAKEN_OVER', 'RESUMABLE_FINISHING', 'CHECKSUM_MISMATCH'])

/** The status of an upload that has all its bytes, and cannot become what it is for right now. */
const finishing = 423

/** Statuses after which it may go on all the same, once there is another token, or some time has passed. */
const waits: ReadonlySet<number> = new Set([401, 403, 408, 409, finishing, 429])

/** Only its end, as the gateway may stand behind a path that it does not know of. */
const addressIn = (location: string): string => `${path}/${location.split('/').at(-1) ?? ''}`

const codeOf = (error: unknown): string | undefined => error instanceof UploadGatewayError ? error.code : undefined

const isLost = (error: unknown): boolean => error instanceof UploadGatewayError && lost.has(error.code)

const goesOn = ({ code, status }: UploadGatewayError): boolean => looksAgain.has(code) || lost.has(code) || (code === 'ANSWER_UNKNOWN' && status === 409)

const isFinal = (error: unknown): boolean => error instanceof UploadGatewayError && error.status >= 400 && error.status < 500 && !waits.has(error.status)

/** What the answer to a HEAD does not say; `cause` is what the gateway said. */
function stillFinishing (cause: { readonly requestId?: string | undefined, readonly retryAfterSeconds?: number | undefined }): UploadGatewayError {
  const { requestId, retryAfterSeconds } = cause
  return new UploadGatewayError('The gateway keeps all bytes of this file, and tries again by itself to finish the upload; the same idempotencyKey goes on with it.', { code: 'RESUMABLE_FINISHING', status: finishing, requestId, retryAfterSeconds, cause })
}

/** tus 1.0, Upload-Metadata: keys with values in base64. */
function metadataOf (said: Readonly<Record<string, string>>): string {
  return Object.entries(said).map(([name, value]) => `${name} ${btoa(Array.from(new TextEncoder().encode(value), (byte) => String.fromCharCode(byte)).join(''))}`).join(',')
}
