// Uploads under way in this process: the epoch in which each began, and its end when its owner is erased meanwhile, by whichever process.
import type { FastifyReply, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { OwnerErased } from '../errors.ts'
import type { Coordination } from '../records/coordination.ts'
import type { ErasedOwner, Owners } from '../records/owners.ts'

/** What is in flight of an erased user is gone a few seconds later, also where nobody could tell of it. */
const checkEveryMs = 5000

export type UploadInFlight = {
  /** How many erasures there had been when it began. */
  readonly epoch: number
  /** Aborts, with the error to answer with, when one of those it concerns is erased. */
  readonly signal: AbortSignal
  /** It is, or may be, an upload of this owner. */
  concerns (ownerId: string): void
}

declare module 'fastify' {
  interface FastifyInstance {
    beginUpload (reply: FastifyReply): Promise<UploadInFlight>
  }
  interface FastifyRequest {
    inFlight: UploadInFlight | null
  }
}

type Options = { owners: Pick<Owners, 'epoch' | 'erasedSince' | 'keyOf'>, coordination: Pick<Coordination, 'hear'> }

type Entry = { readonly epoch: number, readonly ownerKeys: Set<string>, readonly controller: AbortController }

export const uploadsInFlight = fastifyPlugin(async (app, { owners, coordination }: Options) => {
  const entries = new Set<Entry>()

  app.decorateRequest('inFlight', null)
  app.decorate('beginUpload', async ({ raw: response }) => {
    const epoch = await owners.epoch()
    const controller = new AbortController()
    const entry: Entry = { epoch, ownerKeys: new Set(), controller }
    if (!response.closed) {
      entries.add(entry)
      response.once('close', () => entries.delete(entry))
    }
    return { epoch, signal: controller.signal, concerns: (ownerId) => { entry.ownerKeys.add(owners.keyOf(ownerId)) } }
  })

  async function endErased (): Promise<void> {
    if (entries.size === 0) return
    const erased = await owners.erasedSince(Math.min(...Array.from(entries, ({ epoch }) => epoch)))
    for (const entry of [...entries].filter((one) => isErased(one, erased))) {
      entries.delete(entry)
      entry.controller.abort(new OwnerErased())
    }
  }

  const look = () => {
    endErased().catch((error: unknown) => app.log.warn({ err: error }, 'uploads of users who were erased meanwhile could not be looked for'))
  }
  const timer = setInterval(look, checkEveryMs)
  coordination.hear('erased', look)
  coordination.hear('reconnected', look)
  app.addHook('onClose', async () => { clearInterval(timer) })
}, { name: 'uploads-in-flight', fastify: '5.x' })

const isErased = ({ epoch, ownerKeys }: Entry, erased: readonly ErasedOwner[]): boolean =>
  erased.some((erasure) => erasure.epoch > epoch && ownerKeys.has(erasure.ownerKey))

/** onRequest, once it is known who asks: the upload begins, before any of its body is read. */
export async function beginUpload (request: FastifyRequest, reply: FastifyReply): Promise<void> {
  request.inFlight = await request.server.beginUpload(reply)
}

/** The upload of a route behind beginUpload, which is one of this owner; undefined while nobody knows whose it will be. */
export function uploadFor ({ inFlight }: FastifyRequest, ownerId: string | undefined): UploadInFlight {
  if (inFlight === null) throw new TypeError('this route has no beginUpload')
  if (ownerId !== undefined) inFlight.concerns(ownerId)
  return inFlight
}
