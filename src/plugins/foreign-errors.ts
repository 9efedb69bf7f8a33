// What errors of Fastify, its plugins and Node mean in the codes of errors.ts. Knows nothing of replies or logs.
import type { FastifyRequest, FastifySchemaValidationError } from 'fastify'
import {
  BodyTooLarge, ContentTypeUnsupported, errorTable, InternalError, RangeNotSatisfiable, RequestInvalid,
  RouteNotFound, TokenInvalid, UploadAborted, UploadMalformed,
} from '../errors.ts'
import { memberOf, wordingOf } from '../wording.ts'

export type KnownError = Error & { code: string, statusCode: number, headers?: Record<string, string>, fields?: FieldError[] }

/** One thing wrong with a request: `name` is a JSON pointer for the body, a plain name elsewhere. */
export type FieldError = { in: 'body' | 'query' | 'path' | 'header' | 'form', name: string, detail: string }

const statuses = new Map(errorTable.map(({ code, status }) => [code, status]))

const byCode: Record<string, () => KnownError> = {
  FST_ERR_BAD_URL: () => new RequestInvalid('its path has a broken percent-encoding'),
  FST_ERR_MAX_PARAM_LENGTH: () => new RouteNotFound(),
  FST_ERR_CTP_BODY_TOO_LARGE: () => new BodyTooLarge(),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => new ContentTypeUnsupported('application/json'),
  FST_ERR_ROUTE_MISSING_CONTENT_TYPE: () => new ContentTypeUnsupported('application/json'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () => new UploadMalformed('it is not as long as Content-Length says'),
  FST_ERR_CTP_EMPTY_JSON_BODY: () => new RequestInvalid('the JSON body is empty'),
  FST_ERR_CTP_INVALID_JSON_BODY: () => new RequestInvalid('the body is not valid JSON'),
}

const byStatus: Record<number, () => KnownError> = {
  401: () => new TokenInvalid(),
  // Of all that runs here only @fastify/static answers 403, for paths it does not serve.
  403: () => new RouteNotFound(),
  404: () => new RouteNotFound(),
  413: () => new BodyTooLarge(),
  415: () => new ContentTypeUnsupported('application/json'),
  416: () => new RangeNotSatisfiable(),
}

/** The error of errors.ts that `error` is or stands for; the original is its cause. What nobody knows is INTERNAL_ERROR. */
export function knownError (error: unknown, request?: FastifyRequest): KnownError {
  if (isKnown(error)) return error
  const known = translate(error, request)
  known.cause ??= error
  return known
}

function isKnown (error: unknown): error is KnownError {
  return error instanceof Error && 'code' in error && 'statusCode' in error && typeof error.code === 'string' && statuses.get(error.code) === error.statusCode
}

function translate (error: unknown, request: FastifyRequest | undefined): KnownError {
  const { code, statusCode, validation, validationContext } = facts(error)
  if (validation !== undefined) return invalid(validation, validationContext)
  if (code !== undefined && byCode[code] !== undefined) return byCode[code]()
  if (isLeft(code, request)) return new UploadAborted()
  if (statusCode === undefined || statusCode < 400 || statusCode > 499) return new InternalError()
  return byStatus[statusCode]?.() ?? new RequestInvalid('it cannot be understood')
}

type Facts = { code?: string, statusCode?: number, validation?: FastifySchemaValidationError[], validationContext?: string }

function facts (error: unknown): Facts {
  return error instanceof Error ? error as Error & Facts : {}
}

/** The client closed the connection while its request was still being read. */
function isLeft (code: string | undefined, request: FastifyRequest | undefined): boolean {
  const isReset = code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ABORT_ERR'
  return isReset && request?.raw.destroyed === true && !request.raw.complete
}

/** Names that nobody knows are the client's own text. */
const maxNameLength = 64

const places: Record<string, FieldError['in']> = { body: 'body', querystring: 'query', params: 'path', headers: 'header' }

function invalid (validation: FastifySchemaValidationError[], context = 'body'): KnownError {
  const place = places[context] ?? 'body'
  // Of several failures of one value, each is a way in which it could have been right.
  const byName = Map.groupBy(validation.filter(({ keyword }) => keyword !== 'anyOf'), (failure) => nameOf(failure, place))
  const fields = [...byName].map(([name, failures]): FieldError => ({ in: place, name, detail: [...new Set(failures.map(wordingOf))].join(' or ').replaceAll(' or must be ', ' or ') }))
  return invalidFields(fields)
}

/** For what a schema cannot say: the same as if one had. */
export const invalidFields = (fields: FieldError[]): KnownError => withFields(new RequestInvalid(reasonOf(fields)), fields)

/** For the reason of an error: all that is wrong, on one line. */
function reasonOf (fields: readonly FieldError[]): string {
  return fields.map(({ in: place, name, detail }) => [place, name, detail].filter((word) => word !== '').join(' ')).join(', ')
}

/** The problem will list them as `errors`. */
export function withFields<E extends Error> (error: E, fields: FieldError[]): E & { fields: FieldError[] } {
  return Object.assign(error, { fields })
}

function nameOf (failure: FastifySchemaValidationError, place: FieldError['in']): string {
  const member = memberOf(failure)?.slice(0, maxNameLength)
  if (place !== 'body') return member ?? failure.instancePath.slice(1)
  return failure.instancePath + (member === undefined ? '' : `/${member.replaceAll('~', '~0').replaceAll('/', '~1')}`)
}
