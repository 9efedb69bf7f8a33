// Sends whoever asks for stored bytes on to where they are kept: a URL that opens there without credentials, for a minute.
import type { FastifyReply } from 'fastify'
import { dispositionOf } from './disposition.ts'
import { servedType } from './media-type.ts'
import type { Elsewhere, Representation } from './representation.ts'

const validSeconds = 60

/** Of what never changes a cache may keep the way for so long that most of the minute is left. */
const keptSeconds = 20

/** A GET is answered with 302; ranges and what else is asked is for the other place. Throws what `elsewhere` throws. */
export async function redirect (reply: FastifyReply, representation: Representation, elsewhere: Elsewhere): Promise<FastifyReply> {
  const location = await elsewhere(validSeconds, {
    contentType: servedType(representation.contentType),
    contentDisposition: dispositionOf(representation),
    cacheControl: representation.cacheControl,
  })
  const isKept = representation.isPublic && representation.cacheControl.includes('immutable')
  return reply.code(302).headers({
    location,
    'cache-control': isKept ? `public, max-age=${keptSeconds}` : 'private, no-store',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': representation.isPublic ? 'cross-origin' : 'same-site',
  }).send()
}
