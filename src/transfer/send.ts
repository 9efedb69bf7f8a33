// The one way bytes of users leave the gateway (RFC 9110). Knows nothing of who may read them or where they are kept.
import { once } from 'node:events'
import { Socket } from 'node:net'
import { finished, pipeline, Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { PreconditionFailed, RangeNotSatisfiable, withHeaders } from '../errors.ts'
import type { ByteRange } from '../storage/store.ts'
import { allowsRange, judge, validatorsOf, type Validators } from './conditional.ts'
import { containment } from './containment.ts'
import { reprDigest } from './digest.ts'
import { dispositionOf } from './disposition.ts'
import { exactLength } from './exact-length.ts'
import { formatHttpDate } from './http-date.ts'
import { servedType } from './media-type.ts'
import { selectRange } from './range.ts'
import { redirect } from './redirect.ts'
import type { Representation } from './representation.ts'

/** A client that takes no byte for this long is gone, or holds our memory on purpose. */
const stalledReaderMs = 60_000

type Headers = Record<string, string>

/**
 * Answers a GET or HEAD with 200, 206, 302 or 304; return what it returns from the route.
 * @throws PreconditionFailed, RangeNotSatisfiable, and whatever `representation.read` throws.
 */
export async function send (request: FastifyRequest, reply: FastifyReply, representation: Representation): Promise<FastifyReply> {
  const validators = validatorsOf(representation)
  const outcome = judge(request.raw, validators)
  if (outcome === 'failed') throw new PreconditionFailed()
  if (outcome === 'unmodified') return sendNothing(reply, 304, unchangedHeaders(representation, validators))
  if (request.method === 'HEAD') return sendNothing(reply, 200, headersOf(request, representation, validators, representation.size))
  if (representation.elsewhere !== undefined && isForElsewhere(request, representation)) return redirect(reply, representation, representation.elsewhere)
  return sendBytes(reply, representation, validators, rangeOf(request, representation, validators))
}

/**
 * The other place has validators of its own, or does not know If-Range: it would refuse who holds this very version, and give who holds a part of another
 * the rest of this one. An empty file has no range there.
 */
const isForElsewhere = ({ headers }: FastifyRequest, { size }: Representation): boolean =>
  size > 0 && headers['if-match'] === undefined && headers['if-unmodified-since'] === undefined && headers['if-range'] === undefined

/** An empty stream, because to an empty payload Fastify's own HEAD routes add "Content-Length: 0". */
function sendNothing (reply: FastifyReply, status: number, headers: Headers): FastifyReply {
  return reply.code(status).headers(headers).send(Readable.from([]))
}

function rangeOf (request: FastifyRequest, { size }: Representation, validators: Validators): ByteRange | 'whole' {
  const { range, 'if-range': ifRange } = request.headers
  const selected = allowsRange(ifRange?.toString(), validators) ? selectRange(range, size) : 'whole'
  if (selected !== 'unsatisfiable') return selected
  throw withHeaders(new RangeNotSatisfiable(), { 'content-range': `bytes */${size}` })
}

async function sendBytes (reply: FastifyReply, representation: Representation, validators: Validators, range: ByteRange | 'whole'): Promise<FastifyReply> {
  const { size } = representation
  if (!await hasTurn(reply)) return reply.hijack()
  if (range === 'whole') {
    const source = await representation.read()
    return stream(reply.code(200), source, size, headersOf(reply.request, representation, validators, size))
  }
  const source = await representation.read(range)
  const length = range.end - range.start + 1
  const contentRange = `bytes ${range.start}-${range.end}/${size}`
  return stream(reply.code(206), source, length, { ...headersOf(reply.request, representation, validators, length), 'content-range': contentRange })
}

/**
 * Of pipelined requests each answer waits for the one before. A file is opened only when its turn has come: 1400 requests in 62 KB took
 * 1400 descriptors and 4 GB. False when the client is gone by then.
 */
async function hasTurn ({ raw: response, request: { raw: request } }: FastifyReply): Promise<boolean> {
  if (response.socket === null) await Promise.race([once(response, 'socket'), new Promise((resolve) => { request.once('close', resolve) })])
  return !request.socket.destroyed
}

function stream (reply: FastifyReply, source: Readable, length: number, headers: Headers): FastifyReply {
  const body = pipeline(source, exactLength(length), () => {})
  // Fastify closes a stream once it sends it; this closes it too when the client is gone by then or an onSend hook fails.
  finished(reply.raw, () => body.destroy())
  // Node tells a slow reader from a stalled one, cuts the latter, and sets its own timeout again after the answer.
  if (reply.raw.socket instanceof Socket) reply.raw.socket.setTimeout(stalledReaderMs)
  return reply.headers(headers).send(body)
}

function headersOf ({ headers }: FastifyRequest, representation: Representation, validators: Validators, length: number): Headers {
  return {
    ...unchangedHeaders(representation, validators),
    'content-type': servedType(representation.contentType),
    'content-length': String(length),
    'last-modified': formatHttpDate(validators.lastModified),
    'accept-ranges': 'bytes',
    ...reprDigest(representation.sha256, headers['want-repr-digest']?.toString()),
  }
}

/** What a 304 carries: a file can be renamed or made public while its bytes, and so its ETag, stay. */
function unchangedHeaders (representation: Representation, { etag }: Validators): Headers {
  return {
    etag,
    'cache-control': representation.cacheControl,
    'content-disposition': dispositionOf(representation),
    ...containment(representation),
  }
}
