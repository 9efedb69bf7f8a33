// The one way bytes of users leave the gateway (RFC 9110). Knows nothing of who may read them or where they are kept.
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { finished, pipeline, Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { both } from '../basis.ts'
import { PreconditionFailed, RangeNotSatisfiable, withHeaders } from '../errors.ts'
import type { ByteRange } from '../storage/store.ts'
import { judge, validatorsOf, type Validators } from './conditional.ts'
import { containment } from './containment.ts'
import { reprDigest } from './digest.ts'
import { dispositionOf } from './disposition.ts'
import { exactLength } from './exact-length.ts'
import { FileBody } from './file-body.ts'
import { formatHttpDate } from './http-date.ts'
import { servedType } from './media-type.ts'
import { lengthHeaders, lengthOf, requestedRange } from './range.ts'
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
  keep(reply, representation, validators)
  const outcome = judge(request.raw, validators)
  if (outcome === 'failed') throw new PreconditionFailed()
  if (outcome === 'unmodified') return sendNothing(reply, 304, unchangedHeaders(representation, validators))
  if (request.method === 'HEAD') return sendNothing(reply, 200, headersOf(request, representation, validators, 'whole'))
  if (representation.elsewhere !== undefined && isForElsewhere(request, representation)) return redirect(reply, representation, representation.elsewhere)
  return sendBytes(reply, representation, validators, rangeOf(request, representation, validators))
}

/** Who asks the same again is answered without finding out anew, for as long as what this rests on holds. */
function keep (reply: FastifyReply, representation: Representation, validators: Validators): void {
  const { request, server: { keptAnswers } } = reply
  const { whole, part, elsewhere, size } = representation
  const basis = request.callerBasis === null ? representation.basis : both(representation.basis, request.callerBasis)
  if (keptAnswers === undefined || request.method !== 'GET' || basis === undefined || elsewhere !== undefined) return
  const varying = String(reply.getHeader('vary') ?? '').toLowerCase().split(/\s*,\s*/).filter((name) => name !== '')
  const names = [...varying, ...(request.callerBasis === null ? [] : ['authorization', 'cookie'])]
  const { 'x-request-id': _, ...said } = reply.getHeaders()
  const flat = (headers: Headers) => Object.entries({ ...said, ...headers }).flatMap(([name, value]) => [name, String(value)])
  keptAnswers.keep(request.raw, names, () => ({
    basis,
    validators,
    size,
    headers: flat(headersOf({ headers: {} }, representation, validators, 'whole')),
    partHeaders: flat(contentHeaders({ headers: {} }, representation, validators)),
    unchangedHeaders: flat(unchangedHeaders(representation, validators)),
    whole,
    part,
    route: request.routeOptions.url ?? '',
    callerId: request.caller?.id,
  }))
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
  const selected = requestedRange(request.headers, size, validators)
  if (selected !== 'unsatisfiable') return selected
  throw withHeaders(new RangeNotSatisfiable(), { 'content-range': `bytes */${size}` })
}

async function sendBytes (reply: FastifyReply, representation: Representation, validators: Validators, range: ByteRange | 'whole'): Promise<FastifyReply> {
  const { size, whole, file, read } = representation
  if (!await hasTurn(reply)) return reply.hijack()
  const part = range === 'whole' ? undefined : range
  const body = whole === undefined ? streamOf(reply, await (file === undefined ? exactly(read, size, part) : bodyOf(file, size, part))) : wholeOf(await (whole.remembered() ?? whole.read()), part)
  limitStalling(reply.raw)
  return reply.code(part === undefined ? 200 : 206).headers(headersOf(reply.request, representation, validators, range)).send(body)
}

/** What `exactLength` sees to of a stream, whoever reads all at once has seen to. */
const wholeOf = (bytes: Buffer, part: ByteRange | undefined): Buffer => part === undefined ? bytes : bytes.subarray(part.start, part.end + 1)

async function exactly (read: Representation['read'], size: number, part: ByteRange | undefined): Promise<Readable> {
  return pipeline(await read(part), exactLength(part === undefined ? size : lengthOf(part)), () => {})
}

const bodyOf = async (file: NonNullable<Representation['file']>, size: number, part: ByteRange = { start: 0, end: size - 1 }): Promise<Readable> => new FileBody(await file(), part)

/**
 * Of pipelined requests each answer waits for the one before. A file is opened only when its turn has come: 1400 requests in 62 KB took
 * 1400 descriptors and 4 GB. False when the client is gone by then.
 */
async function hasTurn ({ raw: response, request: { raw: request } }: FastifyReply): Promise<boolean> {
  if (response.socket === null) await Promise.race([once(response, 'socket'), new Promise((resolve) => { request.once('close', resolve) })])
  return !request.socket.destroyed
}

/** Fastify closes a stream once it sends it; this closes it too when the client is gone by then or an onSend hook fails. */
function streamOf (reply: FastifyReply, body: Readable): Readable {
  finished(reply.raw, () => body.destroy())
  return body
}

/** Node tells a slow reader from a stalled one, cuts the latter, and sets its own timeout again after the answer. */
export function limitStalling (response: ServerResponse): void {
  const { socket } = response
  if (socket instanceof Socket) socket.setTimeout(stalledReaderMs)
  // Its turn on the connection has not come.
  else if (socket === null) response.once('socket', () => limitStalling(response))
}

const headersOf = (request: Pick<FastifyRequest, 'headers'>, representation: Representation, validators: Validators, range: ByteRange | 'whole'): Headers =>
  ({ ...contentHeaders(request, representation, validators), ...lengthHeaders(representation.size, range) })

/** But for its length. */
function contentHeaders ({ headers }: Pick<FastifyRequest, 'headers'>, representation: Representation, validators: Validators): Headers {
  return {
    ...unchangedHeaders(representation, validators),
    'content-type': servedType(representation.contentType),
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
