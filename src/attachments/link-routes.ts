// The routes of links: made, listed and revoked by who may change an attachment, and opened by whoever has one.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { authenticate, callerOf } from '../plugins/auth.ts'
import { digestHeaders } from '../plugins/digest-description.ts'
import { answerOnce, idempotent } from '../plugins/idempotency.ts'
import { redirected } from '../plugins/redirect-description.ts'
import { tokenRequired } from '../plugins/route-description.ts'
import { send } from '../transfer/send.ts'
import type { Links, MadeLinks } from './links.ts'
import { ContentQuery, IdParams, isYes, LinkAddressParams, LinkIdParams, LinkList, LinkSchema, LinkTokenParams, LinkWishesSchema, LinkWishSchema, MadeLinksSchema, type Link } from './schema.ts'

const tags = ['attachments']
const codes = ['ATTACHMENT_NOT_FOUND', 'STORAGE_FULL', 'DATABASE_UNAVAILABLE']
const bytes = { responses: { 200: { description: 'The bytes.', bytes: ['*/*'], headers: digestHeaders }, 206: { description: 'A range of them.', bytes: ['*/*'], headers: digestHeaders }, ...redirected }, codes: ['LINK_NOT_FOUND', 'PRECONDITION_FAILED', 'RANGE_NOT_SATISFIABLE', 'STORAGE_UNAVAILABLE', 'DATABASE_UNAVAILABLE'] }

const making = {
  summary: 'Make a link to an attachment',
  description: 'A URL that opens the attachment without a token, for whoever has it, until it expires or is revoked. At most 1000 to one attachment stand at a time.',
}

const makingMany = {
  summary: 'Make links to several attachments',
  description: 'One link to each of those that the caller may hand out; the ids of the others are named.',
}

type Asked = { Params: { token: string }, Querystring: { download?: string } }

export const linkRoutes: FastifyPluginAsyncTypebox<{ links: Links }> = async (app, { links }) => {
  app.addHook('onSend', async (_request, reply) => {
    if (!reply.hasHeader('cache-control')) reply.header('Cache-Control', 'no-store')
  })

  app.post('/api/attachments/:id/links', {
    onRequest: [authenticate, idempotent],
    preValidation: withoutBody,
    config: { openapi: { codes: [...codes, 'LINKS_EXCEEDED'] } },
    schema: { ...making, tags, security: tokenRequired, params: IdParams, body: LinkWishSchema, response: { 201: LinkSchema } },
  }, (request, reply) => answerOnce(request, reply, request.body, async (keeping) => {
    const answerOf = ({ links: [link], ownerIds }: MadeLinks) => ({ status: 201, body: link as Link, ownerIds })
    return answerOf(await links.create(callerOf(request), request.params.id, request.body, (made) => keeping(answerOf(made))))
  }))

  app.post('/api/attachments/links', {
    onRequest: [authenticate, idempotent],
    config: { openapi: { codes: ['STORAGE_FULL', 'DATABASE_UNAVAILABLE'] } },
    schema: { ...makingMany, tags, security: tokenRequired, body: LinkWishesSchema, response: { 201: MadeLinksSchema } },
  }, (request, reply) => answerOnce(request, reply, request.body, async (keeping) => {
    const { ids, ...wish } = request.body
    const answerOf = ({ links: made, ownerIds }: MadeLinks) => ({ status: 201, body: { links: made, missing: missingOf(ids, made) }, ownerIds })
    return answerOf(await links.createAll(callerOf(request), ids, wish, (made) => keeping(answerOf(made))))
  }))

  app.get('/api/attachments/:id/links', {
    onRequest: authenticate,
    config: { openapi: { codes: ['ATTACHMENT_NOT_FOUND', 'DATABASE_UNAVAILABLE'] } },
    schema: { tags, summary: 'The links to an attachment that stand', security: tokenRequired, params: IdParams, response: { 200: LinkList } },
  }, async (request) => ({ links: await links.list(callerOf(request), request.params.id) }))

  app.delete('/api/attachments/:id/links/:linkId', {
    onRequest: authenticate,
    config: { openapi: { codes: [...codes, 'LINK_NOT_FOUND'] } },
    schema: { tags, summary: 'Revoke a link', security: tokenRequired, params: LinkIdParams, response: { 204: Type.Null() } },
  }, async (request, reply) => {
    await links.revoke(callerOf(request), request.params.id, request.params.linkId)
    return reply.code(204).send(null)
  })

  const open = async (request: FastifyRequest<Asked>, reply: FastifyReply) =>
    send(request, reply, await links.open(request.params.token, { asDownload: isYes(request.query.download) }))

  app.get('/api/links/:token/:filename', { config: { openapi: bytes }, schema: { tags, summary: 'What a link leads to', params: LinkAddressParams, querystring: ContentQuery } }, open)

  app.get('/api/links/:token', { config: { openapi: bytes }, schema: { tags, summary: 'What a link leads to, without a name', params: LinkTokenParams, querystring: ContentQuery } }, open)
}

/** All that may be said of a link has a default. */
async function withoutBody (request: FastifyRequest): Promise<void> {
  request.body ??= {}
}

function missingOf (ids: readonly string[], links: readonly Link[]): string[] {
  const linked = new Set(links.map(({ attachmentId }) => attachmentId))
  return [...new Set(ids)].filter((id) => !linked.has(id))
}
