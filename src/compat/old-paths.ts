// GET of the paths that older systems gave their files: /i and /uploads, also with System R's extra /api. No rules of its own.
import type { FastifyPluginAsync } from 'fastify'
import { FileNotFound } from '../errors.ts'
import type { Representation } from '../transfer/representation.ts'
import { send } from '../transfer/send.ts'

export type OldPathsOptions = {
  /** What is behind an old path; the first that knows it answers. */
  behind: ReadonlyArray<(path: string) => Promise<Representation | undefined>>
}

const prefixes = [['/i/', '/i/'], ['/uploads/', '/uploads/'], ['/api/uploads/avatars/', '/uploads/avatars/']] as const
const schema = { tags: ['compatibility'], summary: 'A file under the path an older system gave it' }
const config = { openapi: { responses: { 200: { description: 'The bytes.', bytes: ['*/*'] }, 206: { description: 'A range of them.', bytes: ['*/*'] } }, codes: ['FILE_NOT_FOUND', 'PRECONDITION_FAILED', 'RANGE_NOT_SATISFIABLE', 'STORAGE_UNAVAILABLE'] } }

export const oldPaths: FastifyPluginAsync<OldPathsOptions> = async (app, { behind }) => {
  for (const [url, prefix] of prefixes) {
    app.get<{ Params: { '*': string } }>(`${url}*`, { schema, config }, async (request, reply) => {
      const path = prefix + request.params['*']
      for (const find of behind) {
        const representation = await find(path)
        if (representation !== undefined) return send(request, reply, representation)
      }
      throw new FileNotFound()
    })
  }
}
