// What @fastify/multipart makes of a body, with its limits set and its errors turned into ours. Stores nothing.
import { addAbortSignal } from 'node:stream'
import type { Multipart, MultipartFile, MultipartValue } from '@fastify/multipart'
import type { FastifyRequest } from 'fastify'
import { UploadFieldInvalid, UploadMalformed, UploadTooLarge } from '../errors.ts'
import type { Incoming } from './incoming.ts'

/** A list of hundreds may come as one field for each. */
const maxFields = 600
const maxFieldBytes = 4096
/** What the fields of one list may hold together, with the commas between them. */
const maxListBytes = 64 * 1024
const maxParts = 800
const maxHeadersOfPart = 32
const maxHeaderBytesOfPart = 16 * 1024

/** All parts; each file among them must be read to its end before the next comes. */
export async function * partsOf (request: FastifyRequest, maxBytes: number, incoming: Incoming): AsyncGenerator<Multipart> {
  const limits = { fileSize: maxBytes, fields: maxFields, fieldSize: maxListBytes, parts: maxParts, headerPairs: maxHeadersOfPart, headerSize: maxHeaderBytesOfPart }
  // The name is cleaned by us, once: nothing is to be cut from it before.
  const parts = request.parts({ limits, preservePath: true })
  while (true) {
    const { value: part, done } = await Promise.race([parts.next(), incoming.failed]).catch(rethrow)
    if (done) return
    if (part.fieldname === undefined) throw new UploadMalformed('a part of it has no name')
    yield part
  }
}

/** @throws UploadTooLarge as soon as there is one byte too many: the parser itself would read on to the end of the part */
export async function * chunksOf ({ file }: MultipartFile, maxBytes: number, incoming: Incoming): AsyncGenerator<Buffer> {
  const onLimit = () => incoming.fail(new UploadTooLarge(maxBytes))
  // A part that came in one piece with its header was over the limit before anyone could listen.
  if (file.truncated) onLimit()
  else file.once('limit', onLimit)
  try {
    for await (const chunk of addAbortSignal(incoming.signal, file)) yield chunk
  } catch (error) {
    rethrow(error)
  }
}

/** @throws UploadFieldInvalid when it is too long, or not text */
export function textOf ({ fieldname, value, valueTruncated }: MultipartValue, isList: boolean): string {
  if (typeof value !== 'string') throw new UploadFieldInvalid(`"${fieldname}" must be text`)
  return short(fieldname, value, isList ? maxListBytes : maxFieldBytes, valueTruncated)
}

/** The text of a field behind that of those before it. @throws UploadFieldInvalid when they are too long together */
export const joined = (fieldname: string, before: string, text: string): string => short(fieldname, `${before},${text}`, maxListBytes)

function short (fieldname: string, text: string, maxBytes: number, isCut = false): string {
  if (isCut || Buffer.byteLength(text) > maxBytes) throw new UploadFieldInvalid(`"${fieldname}" is longer than ${maxBytes} bytes`)
  return text
}

const translations: Record<string, (cause: unknown) => Error> = {
  FST_FIELDS_LIMIT: (cause) => new UploadFieldInvalid(`there are more than ${maxFields}`, { cause }),
  FST_PARTS_LIMIT: (cause) => new UploadMalformed(`it has more than ${maxParts} parts`, { cause }),
  FST_PROTO_VIOLATION: (cause) => new UploadFieldInvalid('its name is one that no field may have', { cause }),
  FST_INVALID_JSON_FIELD_ERROR: (cause) => new UploadFieldInvalid('its content is not the JSON it is declared to be', { cause }),
}

/** Errors of the parser under it are plain ones, told apart by their sentences only. */
function rethrow (error: unknown): never {
  const { code } = error as { code?: string }
  const translate = code === undefined ? undefined : translations[code]
  throw translate?.(error) ?? new UploadMalformed('it is not well-formed multipart/form-data', { cause: error })
}
