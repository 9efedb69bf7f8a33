// GET /api/usage: what a user has, and what they may have. Counts nothing itself.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { ownerNamed } from '../callers/caller.ts'
import type { CallerLimits } from '../config.ts'
import type { Quota } from '../records/quota.ts'
import { authenticate, callerOf } from './auth.ts'
import { OwnerHeader, ownerInHeader } from './owner.ts'
import { tokenRequired } from './route-description.ts'

const limit = (description: string) => Type.Union([Type.Integer({ description }), Type.Null()], { description: `${description} null: no limit.` })

/** What one caller may keep and send. */
export const LimitsSchema = Type.Object({
  bytes: limit('What they may keep, in bytes.'),
  files: limit('How many files they may keep.'),
  uploadsPerMinute: limit('Uploads that they may begin in a minute.'),
  bytesPerMinute: limit('Bytes that they may upload in a minute.'),
})

const answer = Type.Object({
  ownerId: Type.String(),
  bytes: Type.Integer({ description: 'What is kept of theirs, without what is in the trash.' }),
  files: Type.Integer({ description: 'Attachments, and the current avatar.' }),
  trashBytes: Type.Integer({ description: 'What is deleted or replaced; beyond TRASH_MAX_BYTES_PER_OWNER it counts as kept.' }),
  reservedBytes: Type.Integer({ description: 'Set aside for uploads under way, and for unfinished resumable ones.' }),
  reservedFiles: Type.Integer(),
  limits: LimitsSchema,
})

export const presentLimits = ({ quotaBytes, quotaFiles, rateUploads, rateBytes }: CallerLimits) =>
  ({ bytes: orNull(quotaBytes), files: orNull(quotaFiles), uploadsPerMinute: orNull(rateUploads), bytesPerMinute: orNull(rateBytes) })

const orNull = (value: number): number | null => value === 0 ? null : value

const Query = Type.Object({ owner: Type.Optional(Type.String({ description: 'With the scope uploads:service or uploads:admin: whose. Default: what X-Owner-Id says, or else the caller\'s.' })) }, { additionalProperties: false })

export const usageRoute: FastifyPluginAsyncTypebox<{ quota: Pick<Quota, 'usage'>, callerLimits: (id: string) => CallerLimits }> = async (app, { quota, callerLimits }) => {
  app.get('/api/usage', {
    onRequest: authenticate,
    config: { openapi: { codes: ['OWNER_FORBIDDEN', 'DATABASE_UNAVAILABLE'] } },
    schema: { tags: ['operations'], summary: 'How much a user has, and may have', security: tokenRequired, headers: OwnerHeader, querystring: Query, response: { 200: answer } },
  }, async (request, reply) => {
    const { query: { owner } } = request
    const ownerId = owner === undefined ? ownerInHeader(request) : ownerNamed(callerOf(request), owner)
    reply.header('Cache-Control', 'no-store')
    return { ownerId, ...await quota.usage(ownerId), limits: presentLimits(callerLimits(ownerId)) }
  })
}
