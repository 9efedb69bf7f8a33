// For whom a request acts, where a header may say so. Who may do that is up to callers/caller.
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { ownerNamed, type UserId } from '../callers/caller.ts'
import { callerOf } from './auth.ts'

/** For `schema.headers` of routes that honour it. */
export const OwnerHeader = Type.Object({
  'x-owner-id': Type.Optional(Type.String({ description: 'With the scope uploads:service: the user to act for. Default: the caller.' })),
})

/** @throws OwnerForbidden, RequestInvalid, TokenMissing */
export function ownerInHeader (request: FastifyRequest): UserId {
  const named = request.headers['x-owner-id']
  return ownerNamed(callerOf(request), named === undefined ? undefined : String(named))
}
