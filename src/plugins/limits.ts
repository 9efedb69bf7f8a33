// GET /api/limits: sizes, types and counts as numbers, so that clients need not guess.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { CallerLimits } from '../config.ts'
import { maxPixels, maxSide } from '../images/limits.ts'
import { avatarSizes, previewSizes } from '../images/spec.ts'
import { avatarTypes } from '../transfer/sniff.ts'
import { LimitsSchema, presentLimits } from './usage.ts'

type Limit = { readonly maxBytes: number, readonly maxFiles: number }

const answer = Type.Object({
  avatar: Type.Object({
    maxBytes: Type.Integer(),
    maxPixels: Type.Integer({ description: 'Width times height.' }),
    maxSide: Type.Integer({ description: 'Pixels.' }),
    types: Type.Array(Type.String()),
    sizes: Type.Array(Type.Integer(), { description: 'Pixels of the squares that it is shown in.' }),
  }),
  attachment: Type.Object({
    maxBytes: Type.Integer({ description: 'Of each file.' }),
    maxFiles: Type.Integer({ description: 'In one request.' }),
    types: Type.Null({ description: 'Any type may be kept.' }),
    previewSizes: Type.Array(Type.Integer(), { description: 'Pixels of the longest side of previews of pictures.' }),
  }),
  resumable: Type.Object({
    chunkBytes: Type.Integer({ description: 'Of one request of a resumable upload, as proxies let through; a file that is larger is better sent so.' }),
    maxBytes: Type.Integer({ description: 'Of the whole file.' }),
  }),
  readOnly: Type.Boolean({ description: 'Whether every change is refused for now, as while the service is moved.' }),
  caller: Type.Object(LimitsSchema.properties, { description: 'Of one caller, if no other limits are set for them: GET /api/usage says.' }),
})

export const limitsRoute: FastifyPluginAsyncTypebox<{ avatar: Limit, attachment: Limit, chunkBytes: number, usual: CallerLimits, isReadOnly: boolean }> = async (app, { avatar, attachment, chunkBytes, usual, isReadOnly }) => {
  app.get('/api/limits', { schema: { tags: ['operations'], summary: 'What may be uploaded', response: { 200: answer } } }, async (_request, reply) => {
    // Who waits for its end is to see it.
    reply.header('Cache-Control', isReadOnly ? 'no-cache' : 'public, max-age=300')
    return {
      avatar: { maxBytes: avatar.maxBytes, maxPixels, maxSide, types: [...avatarTypes], sizes: [...avatarSizes] },
      attachment: { maxBytes: attachment.maxBytes, maxFiles: attachment.maxFiles, types: null, previewSizes: [...previewSizes] },
      resumable: { chunkBytes, maxBytes: attachment.maxBytes },
      readOnly: isReadOnly,
      caller: presentLimits(usual),
    }
  })
}
