import { test } from 'tap'
import { errorTable, StorageFull } from '../../src/errors.ts'
import { knownError } from '../../src/plugins/foreign-errors.ts'

const foreign = (facts: object) => Object.assign(new Error('foreign words'), facts)

test('an error of the table stays what it is', async (t) => {
  const error = new StorageFull()
  t.equal(knownError(error), error)
})

test('every other error becomes one of the table, with the original as its cause', async (t) => {
  const cases: [object, string, number][] = [
    [{ code: 'FST_ERR_BAD_URL', statusCode: 400 }, 'REQUEST_INVALID', 400],
    [{ code: 'FST_ERR_MAX_PARAM_LENGTH', statusCode: 414 }, 'ROUTE_NOT_FOUND', 404],
    [{ code: 'FST_ERR_CTP_BODY_TOO_LARGE', statusCode: 413 }, 'BODY_TOO_LARGE', 413],
    [{ code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE', statusCode: 415 }, 'CONTENT_TYPE_UNSUPPORTED', 415],
    [{ code: 'FST_ERR_ROUTE_MISSING_CONTENT_TYPE', statusCode: 400 }, 'CONTENT_TYPE_UNSUPPORTED', 415],
    [{ code: 'FST_ERR_CTP_INVALID_CONTENT_LENGTH', statusCode: 400 }, 'UPLOAD_MALFORMED', 400],
    [{ code: 'FST_ERR_CTP_EMPTY_JSON_BODY', statusCode: 400 }, 'REQUEST_INVALID', 400],
    [{ code: 'FST_ERR_CTP_INVALID_JSON_BODY', statusCode: 400 }, 'REQUEST_INVALID', 400],
    [{ statusCode: 400 }, 'REQUEST_INVALID', 400],
    [{ statusCode: 401 }, 'TOKEN_INVALID', 401],
    [{ statusCode: 403 }, 'ROUTE_NOT_FOUND', 404],
    [{ statusCode: 404 }, 'ROUTE_NOT_FOUND', 404],
    [{ statusCode: 413 }, 'BODY_TOO_LARGE', 413],
    [{ statusCode: 415 }, 'CONTENT_TYPE_UNSUPPORTED', 415],
    [{ statusCode: 416 }, 'RANGE_NOT_SATISFIABLE', 416],
    [{ statusCode: 418 }, 'REQUEST_INVALID', 400],
    [{ statusCode: 503 }, 'INTERNAL_ERROR', 500],
    [{ code: 'STORAGE_FULL', statusCode: 400 }, 'REQUEST_INVALID', 400],
    [{ code: 'ECONNRESET' }, 'INTERNAL_ERROR', 500],
    [{}, 'INTERNAL_ERROR', 500],
  ]
  for (const [facts, code, status] of cases) {
    const error = foreign(facts)
    const known = knownError(error)
    t.match(known, { code, statusCode: status, cause: error }, JSON.stringify(facts))
    t.notMatch(known.message, 'foreign words')
  }
})

test('what is thrown without being an Error is an internal error', async (t) => {
  t.match(knownError('thrown'), { code: 'INTERNAL_ERROR', cause: 'thrown' })
  t.match(knownError(null), { code: 'INTERNAL_ERROR' })
})

test('all codes of the table are distinct and have an error status', async (t) => {
  t.equal(new Set(errorTable.map(({ code }) => code)).size, errorTable.length)
  t.ok(errorTable.every(({ status }) => status >= 400 && status <= 599))
})

const refused = (validation: object[], validationContext: string) => knownError(foreign({ validation, validationContext, statusCode: 400 }))

test('a request that does not fit its schema is told which of its parts, and what would fit', async (t) => {
  const unknown = { keyword: 'additionalProperties', instancePath: '', params: { additionalProperty: 'visiblity' }, parentSchema: { properties: { visibility: {} } } }
  t.match(refused([unknown], 'querystring'), {
    message: 'The request is not valid: query visiblity is not known; known are visibility.',
    fields: [{ in: 'query', name: 'visiblity', detail: 'is not known; known are visibility' }],
  })
  t.match(refused([{ ...unknown, instancePath: '/list/0', params: { additionalProperty: 'a/~b' } }], 'body'), { fields: [{ in: 'body', name: '/list/0/a~1~0b' }] })
  t.match(refused([{ ...unknown, params: { additionalProperty: 'x'.repeat(1000) } }], 'querystring'), { fields: [{ name: 'x'.repeat(64) }] })
})

test('a value that may be one of several things is told all of them at once', async (t) => {
  const [text, nothing, either] = ['string', 'null', undefined].map((type) => ({ keyword: type === undefined ? 'anyOf' : 'type', instancePath: '/alt', params: { type } }))
  t.match(refused([text ?? {}, nothing ?? {}, either ?? {}], 'body'), {
    message: 'The request is not valid: body /alt must be text or null.',
    fields: [{ in: 'body', name: '/alt', detail: 'must be text or null' }],
  })
})
