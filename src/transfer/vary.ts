// Tells caches that an answer was chosen by the Accept header (RFC 9110 section 12.5.5), beside whatever else it was chosen by.
import type { FastifyReply } from 'fastify'

/**
 * For who negotiates, before anything can fail: errors keep the header. What plugins/cors.ts and others said stays, in one
 * field, because some caches look at the first alone.
 */
export function varyByAccept (reply: FastifyReply): void {
  const names = [reply.getHeader('vary') ?? []].flat().flatMap((field) => String(field).split(',')).map((name) => name.trim()).filter((name) => name !== '')
  if (names.some((name) => name === '*' || name.toLowerCase() === 'accept')) return
  reply.header('vary', [...names, 'Accept'].join(', '))
}
