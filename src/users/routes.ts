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
import { ErasedUserParams, Erasure, ExportedUserParams } from './schema.ts'

export type UserRoutesOptions = {
  erasure: Pick<ErasureService, 'erase'>
  exports: Exports
  receipts: Pick<Receipts, 'sign'>
}

/** A client that takes no byte for this long is gone. */
const stalledReaderMs = 60_000

const tags = ['users']

const erasing = {
  summary: 'Erase everything a user uploaded, for good',
  description: 'Needs a token with the scope uploads:admin. Removes all avatars and attachments of the user, those in the trash too, their old URLs, and their account if this gateway keeps it; nothing brings them back, and a backup that is restored later loses them again. Uploads of the user that are under way fail with OWNER_ERASED. May be repeated.',
}

const exporting = {
  summary: 'All files of a user, as a tar',
  description: 'For the user themselves, with any token of theirs; for others with a token with the scope uploads:admin.',
}

const archive = {
  scope: 'uploads:admin',
  responses: { 200: { description: 'A tar of the files as they were kept, those in the trash in a folder of their own, and manifest.json as the last of it (of very many files manifest-2.json and so on; the last says isLast). It lists every file with its status: whole; missing, when the service has lost it and the tar goes without it; or damaged, when its bytes are not those that were uploaded. A tar that ends before its last manifest was cut short: ask again.', bytes: ['application/x-tar'] } },
  codes: ['REQUEST_INVALID', 'DATABASE_UNAVAILABLE'],
} as const

export const userRoutes: FastifyPluginAsyncTypebox<UserRoutesOptions> = async (app, { erasure, exports, receipts }) => {
  app.delete('/api/users/:userId/uploads', {
    onRequest: [authenticate, requireScope('uploads:admin')],
    config: { openapi: { scope: 'uploads:admin', codes: ['REQUEST_INVALID', 'STORAGE_FULL', 'STORAGE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'] } },
    schema: { ...erasing, tags, security: tokenRequired, params: ErasedUserParams, response: { 200: Erasure } },
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
    schema: { ...exporting, tags, security: tokenRequired, params: ExportedUserParams },
  }, async (request, reply) => {
    const caller = callerOf(request)
    const userId = userNamed(caller, request.params.userId)
    if (userId !== caller.id && !caller.scopes.has('uploads:admin')) throw scopeMissing('uploads:admin')
    const tar = await exports.tarOf(userId, (files, count) => request.log.warn({ files }, `${count} ${count === 1 ? 'file' : 'files'} of an export ${count === 1 ? 'is' : 'are'} missing or damaged.`))
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
