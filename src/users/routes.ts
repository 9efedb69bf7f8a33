// What concerns all uploads of one user: erasing them, and taking them along. What that means is the services' business.
import { finished } from 'node:stream'
import { Socket } from 'node:net'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { asUserId, type Caller, type UserId } from '../callers/caller.ts'
import { scopeMissing } from '../callers/challenge.ts'
import { RequestInvalid } from '../errors.ts'
import { authenticate, callerOf, requireScope } from '../plugins/auth.ts'
import { tokenRequired } from '../plugins/route-description.ts'
import type { ErasureService } from './erasure.ts'
import type { Exports } from './export.ts'
import type { Receipts } from './receipt.ts'
import { Erasure, UserParams } from './schema.ts'

export type UserRoutesOptions = {
  erasure: Pick<ErasureService, 'erase'>
  exports: Exports
  receipts: Pick<Receipts, 'sign'>
}

/** A client that takes no byte for this long is gone. */
const stalledReaderMs = 60_000

const tags = ['users']
const archive = { responses: { 200: { description: 'A tar of the files as they were kept, those in the trash in a folder of their own, and manifest.json as the last of it. A connection that ends before the tar does means that a file could not be read: ask again.', bytes: ['application/x-tar'] } }, codes: ['SCOPE_MISSING', 'REQUEST_INVALID', 'DATABASE_UNAVAILABLE'] }

export const userRoutes: FastifyPluginAsyncTypebox<UserRoutesOptions> = async (app, { erasure, exports, receipts }) => {
  app.delete('/api/users/:userId/uploads', {
    onRequest: [authenticate, requireScope('uploads:admin')],
    config: { openapi: { codes: ['SCOPE_MISSING', 'REQUEST_INVALID', 'STORAGE_FULL', 'STORAGE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'] } },
    schema: { tags, summary: 'Erase everything a user uploaded, for good', security: tokenRequired, params: UserParams, response: { 200: Erasure } },
  }, async (request, reply) => {
    reply.header('Cache-Control', 'no-store')
    const erased = await erasure.erase(spelledOut(request.params.userId))
    return { erased, receipt: await receipts.sign(erased) }
  })

  app.get('/api/users/:userId/export', {
    onRequest: authenticate,
    // The one that Fastify makes reads all files for nothing.
    exposeHeadRoute: false,
    config: { openapi: archive },
    schema: { tags, summary: 'All files of a user, as a tar', security: tokenRequired, params: UserParams },
  }, async (request, reply) => {
    const caller = callerOf(request)
    const userId = userNamed(caller, request.params.userId)
    if (userId !== caller.id && !caller.scopes.has('uploads:admin')) throw scopeMissing('uploads:admin')
    const tar = await exports.tarOf(userId)
    // Also when the client is gone before anything is sent.
    finished(reply.raw, () => tar.destroy())
    if (reply.raw.socket instanceof Socket) reply.raw.socket.setTimeout(stalledReaderMs)
    return reply.headers({
      'Cache-Control': 'no-store',
      'Content-Type': 'application/x-tar',
      'Content-Disposition': `attachment; filename="${userId.replaceAll(/[^A-Za-z0-9._-]/g, '_')}.tar"`,
      'X-Content-Type-Options': 'nosniff',
    }).send(tar)
  })
}

/** An admin who erases "me" would erase the admin. @throws RequestInvalid */
function spelledOut (named: string): UserId {
  if (named === 'me') throw new RequestInvalid('name the user to erase by their id: "me" is nobody here')
  return asNamed(named)
}

/** @throws RequestInvalid */
const userNamed = (caller: Caller, named: string): UserId => named === 'me' ? caller.id : asNamed(named)

/** @throws RequestInvalid */
function asNamed (named: string): UserId {
  const id = asUserId(named)
  if (id === undefined) throw new RequestInvalid('the user must be 1 to 128 of A-Z a-z 0-9 . _ : @ -')
  return id
}
