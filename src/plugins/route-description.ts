// How a route says what Fastify does not check: bodies that stay unread, answers of bytes, headers, codes of errors.
import type { FastifySchema } from 'fastify'
import type { Scope } from '../callers/caller.ts'
import { errorTable } from '../errors.ts'
import { retryAfter } from './problems.ts'

/** What the description says of a route beyond the schemas that Fastify itself checks and serializes with. */
export type RouteDescription = {
  /** By media type. For bodies that reach the route unread. */
  readonly requestBody?: Readonly<Record<string, object>>
  /** By status. Joined with what `schema.response` says of the same status. */
  readonly responses?: Readonly<Record<number, ResponseDescription>>
  /** What a token must carry, or may have to: without it comes SCOPE_MISSING. */
  readonly scope?: Scope
  /** Codes of errors.ts that callers of this route should expect. */
  readonly codes?: readonly string[]
  /** The JSON body of failures, where clients know another than the Problem. */
  readonly failure?: object
}

export type ResponseDescription = {
  readonly description?: string
  /** By name, each a JSON schema with a description. */
  readonly headers?: Readonly<Record<string, object>>
  /** Media types whose body is bytes. */
  readonly bytes?: readonly string[]
}

declare module 'fastify' {
  interface FastifyContextConfig {
    openapi?: RouteDescription
  }
}

/** For `schema.security` of routes that need a token, and of those where it is optional. */
export const tokenRequired = [{ bearer: [] }]
export const tokenOptional = [{ bearer: [] }, {}]

/** For those that a media session opens too. */
export const readerOptional = [{ bearer: [] }, { mediaSession: [] }, {}]

/** The cookie of media sessions. */
export const mediaCookie = 'upload_gateway_media'

/** The multipart form that upload routes take: files under `fileField`, and the named text fields before them. */
export function multipartBody (fileField: string, maxFiles: number, fields: Readonly<Record<string, object>> = {}): object {
  const file = { type: 'string', format: 'binary' }
  const files = maxFiles === 1 ? file : { type: 'array', items: file, minItems: 1, maxItems: maxFiles }
  return { type: 'object', required: [fileField], properties: { ...fields, [fileField]: files } }
}

/** A body that is the file itself. */
export const rawBody = { type: 'string', format: 'binary' } as const

const text = (description: string) => ({ type: 'string', description }) as const

/** The body of every error, as problems.ts makes it. */
export const Problem = {
  $id: 'Problem',
  type: 'object',
  description: `RFC 9457. A 5xx says nothing of its cause: the requestId finds it in the log.\n\n${codeTable()}`,
  required: ['type', 'title', 'status', 'detail', 'code', 'requestId'],
  properties: {
    type: { const: 'about:blank', description: 'Always this: code tells problems apart.' },
    title: text('The phrase that belongs to the status.'),
    status: { type: 'integer', description: 'The HTTP status.' },
    detail: text('What went wrong and what to do, for people.'),
    code: { type: 'string', description: 'For programs; never changes meaning.', enum: errorTable.map(({ code }) => code) },
    requestId: text('The X-Request-Id of the answer.'),
    errors: {
      type: 'array',
      description: 'With REQUEST_INVALID and UPLOAD_FIELD_INVALID: each thing that is wrong.',
      items: {
        type: 'object',
        required: ['in', 'name', 'detail'],
        properties: {
          in: { enum: ['body', 'query', 'path', 'header', 'form'] },
          name: text('A JSON pointer into the body, or the name of the parameter or field.'),
          detail: text('What is wrong with it.'),
        },
      },
    },
  },
} as const

function codeTable (): string {
  const rows = errorTable.map(({ code, status, sentence }) => `| \`${code}\` | ${status} | ${sentence} |`)
  return ['| code | status | meaning |', '|---|---|---|', ...rows].join('\n')
}

/** Of every answer, whatever the route. */
const commonHeaders = { 'X-Request-Id': text('Finds this request in the log.') }

/** Of what counts for the rates of its caller; draft-ietf-httpapi-ratelimit-headers-10. */
const rateHeaders = {
  RateLimit: text('Where there is a limit: what is left of it (r), and when all of it is there again (t, seconds).'),
  'RateLimit-Policy': text('Where there is a limit: how much (q) in how many seconds (w).'),
}

const waitHeader = { 'Retry-After': { type: 'integer', description: 'Seconds to wait before it is sent again.' } }

/** The schema of a route together with its description, in the form that @fastify/swagger reads. */
export function describe (schema: FastifySchema | undefined, { requestBody, responses = {}, scope, codes = [], failure }: RouteDescription = {}): FastifySchema {
  const own = (schema?.response ?? {}) as Record<string, object>
  const counted = codes.includes('RATE_EXCEEDED') ? rateHeaders : {}
  const joined = mapValues({ ...own, ...responses }, (_, status) => {
    const description = responses[Number(status)]
    return response(own[status], { ...description, headers: { ...counted, ...description?.headers } })
  })
  const refusal = failure === undefined ? problemContent : contentOf({ 'application/json': failure })
  return {
    ...schema,
    ...(requestBody !== undefined && { body: { content: contentOf(requestBody) } }),
    response: {
      ...(!Object.keys(joined).some((status) => /^[123]/.test(status)) && { 200: response(undefined, {}) }),
      ...refusals([...codes, ...(scope === undefined ? [] : ['SCOPE_MISSING']), ...impliedCodes(schema)], refusal, scope),
      ...joined,
      default: response({ content: refusal }, { description: 'Any other failure.' }),
    },
  }
}

function response (body: object | undefined, { description, headers, bytes }: ResponseDescription): object {
  return {
    ...(body === undefined && bytes === undefined && { type: 'null' }),
    ...body,
    ...(bytes !== undefined && { content: contentOf(Object.fromEntries(bytes.map((type) => [type, rawBody]))) }),
    description: description ?? (body !== undefined && 'description' in body ? body.description : 'Done.'),
    headers: { ...commonHeaders, ...headers },
  }
}

/** What every route with such a schema may refuse. */
function impliedCodes ({ security = [], body, querystring, headers }: FastifySchema = {}): string[] {
  const needsToken = security.length > 0 && security.every((scheme) => 'bearer' in scheme)
  return [
    ...(needsToken ? ['TOKEN_MISSING'] : []),
    ...(security.length > 0 ? ['TOKEN_INVALID'] : []),
    ...((body ?? querystring ?? headers) !== undefined ? ['REQUEST_INVALID'] : []),
  ]
}

function refusals (codes: readonly string[], content: object, scope = '…'): Record<number, object> {
  const entries = errorTable.filter(({ code }) => codes.includes(code))
  const byStatus = Map.groupBy(entries, ({ status }) => status)
  return Object.fromEntries([...byStatus].map(([status, group]) => {
    const description = group.map(({ code, sentence }) => `\`${code}\`: ${code === 'SCOPE_MISSING' ? sentence.replace('…', `${scope}.`) : sentence}`).join('\n\n')
    const waits = status in retryAfter || group.some(({ sentence }) => sentence.includes('Retry-After'))
    return [status, response({ content }, { description, headers: { ...(status === 429 && codes.includes('RATE_EXCEEDED') && rateHeaders), ...(waits && waitHeader) } })]
  }))
}

const contentOf = (schemas: Readonly<Record<string, object>>) => mapValues(schemas, (schema) => ({ schema }))

const problemContent = contentOf({ 'application/problem+json': { $ref: 'Problem#' } })

function mapValues<V, R> (record: Readonly<Record<string, V>>, map: (value: V, key: string) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]))
}
