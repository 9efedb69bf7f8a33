// How a client wants to see a picture, out of its request.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { asksForVariant, type VariantQuery } from '../images/query.ts'
import { varyByAccept } from '../transfer/vary.ts'

export type View = {
  readonly query: VariantQuery
  /** The Accept header. */
  readonly accept: string | undefined
  /** To be called before anything can fail, once it is known that the answer depends on that header. */
  readonly vary: () => void
}

/** What asks for a variant and names no format says so at once: also of a picture that is not there. */
export function viewOf ({ headers: { accept } }: FastifyRequest, reply: FastifyReply, query: VariantQuery = {}): View {
  const vary = () => varyByAccept(reply)
  if (asksForVariant(query) && query.format === undefined) vary()
  return { query, accept, vary }
}
