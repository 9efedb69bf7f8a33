// Exactly once: a request with an Idempotency-Key has one effect and one answer, which is given again for a day. What is kept of answers is up to records/answers.
import type { ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { Type, type TObject } from 'typebox'
import { IdempotencyInProgress, IdempotencyKeyInvalid, IdempotencyKeyReused, OwnerErased, ServiceStopping, UploadAborted, withHeaders } from '../errors.ts'
import { goneStatus, type Answers, type KeptAnswer } from '../records/answers.ts'
import { nothing, type Alongside } from '../records/commits.ts'
import type { Owners } from '../records/owners.ts'
import type { ReceivedFile, ReceiveOptions } from '../transfer/receive.ts'
import { unkept } from '../transfer/unkept.ts'
import { createTurns, type Turn } from './turns.ts'

/** How long a request waits for another with its key before it is answered with 409. */
const standardWaitMs = 30_000

/** Seconds until such a client should ask again. */
const askAgainSeconds = 5

const sweepEveryMs = 10 * 60_000

/** A success, as it is answered now and kept for later. */
export type Answer<T> = {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** As the route's schema serializes it; undefined: none. */
  readonly body: T
  /** Whose files it tells of, and whom it names beside them: when they are erased, it is not given again, or without a mere reader. */
  readonly ownerIds: readonly string[]
}

/** What an answer adds to the transaction of what it tells of. */
export type Keeping<T> = (answer: Answer<T>) => Alongside

type Keyed = { readonly key: string, readonly turn: Turn, readonly kept: KeptAnswer | undefined }

declare module 'fastify' {
  interface FastifyInstance {
    idempotency: { readonly answers: Answers, readonly epoch: Owners['epoch'], take (key: string, response: ServerResponse): Promise<Turn> }
  }
  interface FastifyRequest {
    /** Null without an Idempotency-Key. */
    keyed: Keyed | null
  }
}

type Options = { readonly answers: Answers, readonly owners: Pick<Owners, 'epoch'>, readonly waitMs?: number }

export const idempotency = fastifyPlugin(async (app, { answers, owners, waitMs = standardWaitMs }: Options) => {
  const turns = createTurns()
  const stopping = new AbortController()

  app.decorateRequest('keyed', null)
  app.decorate('idempotency', {
    answers,
    epoch: owners.epoch,
    async take (key: string, response: ServerResponse): Promise<Turn> {
      const waiting = new AbortController()
      const give = (reason: Error) => () => waiting.abort(reason)
      const onGone = give(new UploadAborted())
      const onStop = give(new ServiceStopping())
      const timer = setTimeout(give(withHeaders(new IdempotencyInProgress(), { 'Retry-After': String(askAgainSeconds) })), waitMs)
      response.once('close', onGone)
      stopping.signal.addEventListener('abort', onStop)
      try {
        return await turns.take(key, waiting.signal)
      } finally {
        clearTimeout(timer)
        response.off('close', onGone)
        stopping.signal.removeEventListener('abort', onStop)
      }
    },
  })
  app.addHook('onRoute', describe)
  app.addHook('preClose', async () => stopping.abort())
  app.doNowAndThen({ name: 'answers', everyMs: sweepEveryMs, run: answers.sweep })
}, { name: 'idempotency', fastify: '5.x', dependencies: ['upkeep'] })

/**
 * onRequest, once it is known who asks, and before anything is counted or set aside for the request: with an Idempotency-Key it waits
 * until no other request of the same key is under way. Of a caller without a token the key is not heeded: anybody might send it.
 * @throws IdempotencyKeyInvalid, IdempotencyInProgress
 */
export async function idempotent (request: FastifyRequest, { raw: response }: FastifyReply): Promise<void> {
  const { caller, server: { idempotency: { answers, take } }, headers } = request
  const said = headers['idempotency-key']
  if (said === undefined || caller === null) return
  // Several of them come joined by a comma and a space.
  if (!/^[\x21-\x7e]{1,255}$/.test(String(said))) throw new IdempotencyKeyInvalid()
  const key = answers.keyOf(caller.id, String(said))
  const turn = await take(key, response)
  // A response that is over has no more 'close' to come.
  if (response.closed) turn.end()
  else response.once('close', turn.giveUp)
  const kept = await answers.find(key)
  if (kept !== undefined) turn.end()
  request.keyed = { key, turn, kept }
}

/** Whether this request had its effect already. All that is left to do is to see whether it is the same. */
export const isAnswered = ({ keyed }: FastifyRequest): boolean => keyed?.kept !== undefined

/** An onRequest hook that is left out for a request that had its effect already. */
export const unlessAnswered = (hook: (request: FastifyRequest, reply: FastifyReply) => Promise<void>) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<void> => { if (!isAnswered(request)) await hook(request, reply) }

/** How its body is received: only looked at, when it had its effect already. */
export const receivingFor = (request: FastifyRequest, receiving: ReceiveOptions): ReceiveOptions =>
  isAnswered(request) ? { ...receiving, store: unkept } : receiving

/** What of received files makes two requests the same. */
export const sentIn = (files: readonly ReceivedFile[]): unknown =>
  files.map(({ fields, sha256, filename, declaredType }) => ({ fields, sha256, filename, declaredType }))

/**
 * Carries out a request behind `idempotent`, or gives the answer that it had before. Returns the body; status and headers are set.
 * `content`: what it says beyond its address, as JSON would have it. `work` passes `keeping` of its answer into its transaction, and
 * resolves with that answer; without a transaction, the answer is kept afterwards: for what may be done twice.
 * @throws IdempotencyKeyReused, OwnerErased when the files that the answer told of were erased, and what `work` throws: then nothing is kept
 */
export async function answerOnce<T> (request: FastifyRequest, reply: FastifyReply, content: unknown, work: (keeping: Keeping<T>) => Promise<Answer<T>>): Promise<T> {
  const { keyed } = request
  if (keyed === null) return given(reply, await work(() => nothing))
  const { answers } = request.server.idempotency
  const fingerprint = answers.fingerprintOf(textOf(request, content))
  if (keyed.kept !== undefined) return givenAgain(reply, keyed.kept, fingerprint)

  const { key, turn } = keyed
  turn.begin()
  try {
    return given(reply, await carriedOut(request, reply, { key, fingerprint }, work))
  } catch (error) {
    // Another process was first, whatever came of that here; or the commit was done, and only the database's answer lost.
    const kept = await answers.find(key).catch(() => undefined)
    if (kept === undefined) throw error
    return givenAgain(reply, kept, fingerprint)
  } finally {
    turn.end()
  }
}

async function carriedOut<T> ({ inFlight, server: { idempotency: { answers, epoch: now } } }: FastifyRequest, reply: FastifyReply, { key, fingerprint }: { key: string, fingerprint: string }, work: (keeping: Keeping<T>) => Promise<Answer<T>>): Promise<Answer<T>> {
  const epoch = inFlight?.epoch ?? await now()
  const asKept = ({ status, headers = {}, body, ownerIds }: Answer<T>) => ({ fingerprint, status, headers, body: serialized(reply, status, body), ownerIds, epoch })
  let isKept = false
  const answer = await work((committed) => {
    const { statements, refuse } = answers.keeping(key, asKept(committed))
    return {
      refuse,
      statements () {
        isKept = true
        return statements()
      },
    }
  })
  if (!isKept) await answers.keep(key, asKept(answer))
  return answer
}

function given<T> (reply: FastifyReply, { status, headers = {}, body }: Answer<T>): T {
  reply.code(status).headers(headers)
  return body
}

function givenAgain<T> (reply: FastifyReply, { fingerprint, status, headers, body }: KeptAnswer, asked: string): T {
  if (fingerprint !== asked) throw new IdempotencyKeyReused()
  if (status === goneStatus) throw new OwnerErased()
  reply.code(status).headers({ ...headers, 'Idempotency-Replayed': 'true' })
  if (body === '') return undefined as T
  // Byte for byte, also when the schema has changed since.
  reply.type('application/json; charset=utf-8').serializer(() => body)
  return JSON.parse(body) as T
}

function serialized (reply: FastifyReply, status: number, body: unknown): string {
  if (body === undefined) return ''
  const serialize = reply.getSerializationFunction(String(status)) ?? JSON.stringify
  return serialize(body as Record<string, unknown>)
}

/** All of a request that counts, in one order. */
function textOf ({ method, routeOptions: { url }, params, query, headers }: FastifyRequest, content: unknown): string {
  return JSON.stringify([method, url, params, query, headers['x-owner-id'], content], (_name, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1)) : value)
}

const keyHeader = Type.Optional(Type.String({ description: 'Any name for this request that was not used before, such as a UUID. Sent again with the same key and content, it has no second effect and gets the same answer, for 24 hours.' }))
const codes = ['IDEMPOTENCY_KEY_INVALID', 'IDEMPOTENCY_KEY_REUSED', 'IDEMPOTENCY_IN_PROGRESS', 'OWNER_ERASED']

/** Every route behind `idempotent` says so. */
function describe (route: RouteOptions): void {
  if (!([route.onRequest].flat() as unknown[]).includes(idempotent)) return
  const { schema = {}, config } = route
  const headers = schema.headers as TObject | undefined
  route.schema = { ...schema, headers: Type.Object({ ...headers?.properties, 'idempotency-key': keyHeader }) }
  route.config = { ...config, openapi: { ...config?.openapi, codes: [...config?.openapi?.codes ?? [], ...codes] } }
}
