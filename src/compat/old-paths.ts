// GET of the paths that older systems gave their files: /i and /uploads, also with System R's extra /api. No rules of its own.
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { variantCodes } from '../avatars/schema.ts'
import { viewOf, type View } from '../avatars/view.ts'
import type { Caller } from '../callers/caller.ts'
import { FileNotFound } from '../errors.ts'
import { identify } from '../plugins/auth.ts'
import { redirected } from '../plugins/redirect-description.ts'
import { tokenOptional } from '../plugins/route-description.ts'
import type { Representation } from '../transfer/representation.ts'
import { send } from '../transfer/send.ts'

/** Who asks, and how they want to see what is a picture. */
type Asked = { readonly caller: Caller | null, readonly view: View }

/** What is behind an old path; undefined when it is not known there, or not open to who asks. */
export type Behind = (path: string, asked: Asked) => Promise<Representation | undefined>

export type OldPathsOptions = {
  /** The first that knows the path answers. */
  behind: readonly Behind[]
}

const prefixes = [['/i/', '/i/'], ['/uploads/', '/uploads/'], ['/api/uploads/avatars/', '/uploads/avatars/']] as const
const schema = { tags: ['compatibility'], summary: 'A file under the path an older system gave it', security: tokenOptional }
const config = { openapi: { responses: { 200: { description: 'The bytes.', bytes: ['*/*'] }, 206: { description: 'A range of them.', bytes: ['*/*'] }, ...redirected }, codes: ['FILE_NOT_FOUND', 'PRECONDITION_FAILED', 'RANGE_NOT_SATISFIABLE', 'STORAGE_UNAVAILABLE', ...variantCodes] } }

export const oldPaths: FastifyPluginAsync<OldPathsOptions> = async (app, { behind }) => {
  async function find (path: string, asked: Asked): Promise<Representation | undefined> {
    // No file has it in its name, and PostgreSQL takes it in no text.
    if (path.includes('\0')) return undefined
    for (const known of behind) {
      const representation = await known(path, asked)
      if (representation !== undefined) return representation
    }
  }

  /** Older clients sent tokens along where none was needed, old ones too: a token counts only where the path is open to nobody else. */
  async function findFor (request: FastifyRequest, reply: FastifyReply, path: string): Promise<Representation | undefined> {
    const view = viewOf(request, reply)
    const open = await find(path, { caller: null, view })
    if (open !== undefined) return open
    await identify(request)
    return request.caller === null ? undefined : find(path, { caller: request.caller, view })
  }

  for (const [url, prefix] of prefixes) {
    app.get<{ Params: { '*': string } }>(`${url}*`, { schema, config }, async (request, reply) => {
      const representation = await findFor(request, reply, prefix + request.params['*'])
      if (representation === undefined) throw new FileNotFound()
      return send(request, reply, representation)
    })
  }
}
