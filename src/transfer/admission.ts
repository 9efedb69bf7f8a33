// Turns uploads away before a byte of their body is read: too large, compressed, or no room for them. Reads nothing.
import type { IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ContentTypeUnsupported, UploadTooLarge } from '../errors.ts'
import type { Reservation, Store } from '../storage/store.ts'

export type AdmitOptions = {
  readonly store: Pick<Store, 'reserve'>
  /** Of each file. */
  readonly maxBytes: number
  readonly maxFiles: number
}

const reservations = new WeakMap<IncomingMessage, Reservation>()

/** What boundaries, part headers and form fields may add to the files themselves. */
const framingBytes = 64 * 1024

/** The most a whole body may be. */
export function maxBodyBytes ({ maxBytes, maxFiles }: Pick<AdmitOptions, 'maxBytes' | 'maxFiles'>, isMultipart: boolean): number {
  return isMultipart ? maxBytes * maxFiles + framingBytes : maxBytes
}

/**
 * An onRequest hook, to run after the caller is known. Space is set aside for the declared length until the request is over, however it ends.
 * @throws UploadTooLarge, ContentTypeUnsupported, and what store.reserve throws
 */
export function admit (options: AdmitOptions): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  return async function admitUpload ({ headers, raw }, { raw: response }) {
    if (!isPlain(headers['content-encoding'])) throw new ContentTypeUnsupported('the bytes as they are, without Content-Encoding')
    const declaredBytes = Number(headers['content-length'] ?? 0)
    const isMultipart = /^\s*multipart\/form-data\b/i.test(headers['content-type'] ?? '')
    if (declaredBytes > maxBodyBytes(options, isMultipart)) throw new UploadTooLarge(options.maxBytes)

    const reservation = await options.store.reserve(declaredBytes)
    reservations.set(raw, reservation)
    // A client that left meanwhile has had its 'close' already.
    if (response.closed) reservation.release()
    else response.once('close', () => reservation.release())
  }
}

/** What was set aside for this body, if it was admitted. */
export const reservationOf = (body: IncomingMessage): Reservation | undefined => reservations.get(body)

function isPlain (contentEncoding: string | undefined): boolean {
  return contentEncoding === undefined || /^\s*(identity)?\s*$/i.test(contentEncoding)
}
