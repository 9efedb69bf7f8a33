import { test } from 'tap'
import { errorTable } from '../../src/errors.ts'
import { describe, multipartBody, Problem, rawBody, tokenOptional, tokenRequired } from '../../src/plugins/route-description.ts'

const responsesOf = (schema: ReturnType<typeof describe>) => schema.response as Record<string, { description: string, type?: string, headers: object, content?: object }>

test('a route that says nothing still has an answer, and the problem', async (t) => {
  const responses = responsesOf(describe(undefined))
  t.match(responses[200], { type: 'null', description: 'Done.', headers: { 'X-Request-Id': Object } })
  t.match(responses['default'], { content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } } })
})

test('what the route says of a status is joined with its schema', async (t) => {
  const schema = { summary: 'kept', response: { 201: { type: 'object', description: 'The avatar.' } } }
  const described = describe(schema, { responses: { 201: { headers: { Location: { type: 'string' } } }, 304: { description: 'The same.' } } })
  t.equal(described.summary, 'kept')
  t.match(responsesOf(described)[201], { type: 'object', description: 'The avatar.', headers: { Location: { type: 'string' } } })
  t.match(responsesOf(described)[304], { type: 'null', description: 'The same.' })
  t.notOk(responsesOf(described)[200])
  t.notOk('headers' in schema.response[201], 'the schema that Fastify serializes with stays as it is')
})

test('bodies that stay unread and answers of bytes are given by media type', async (t) => {
  const described = describe({}, { requestBody: { 'image/*': rawBody }, responses: { 200: { bytes: ['image/*'] } } })
  t.strictSame(described.body, { content: { 'image/*': { schema: rawBody } } })
  t.strictSame(responsesOf(described)[200]?.content, { 'image/*': { schema: rawBody } })
})

test('codes are grouped by their status', async (t) => {
  const responses = responsesOf(describe({}, { codes: ['UPLOAD_TOO_LARGE', 'UPLOAD_FILES_EXCEEDED', 'TOKEN_MISSING'] }))
  t.match(responses[413]?.description, /`UPLOAD_FILES_EXCEEDED`: .*`UPLOAD_TOO_LARGE`: /s)
  t.match(responses[401]?.description, '`TOKEN_MISSING`')
})

test('a scope that a route asks for is named in its refusal', async (t) => {
  t.equal(responsesOf(describe({}, { scope: 'uploads:admin' }))[403]?.description, '`SCOPE_MISSING`: This needs a token with the scope uploads:admin.')
  t.match(responsesOf(describe({}, { scope: 'uploads:service', codes: ['OWNER_FORBIDDEN'] }))[403]?.description, /with the scope uploads:service\.\n\n`OWNER_FORBIDDEN`: /)
  t.notOk(responsesOf(describe({}))[403])
})

test('what every such route may refuse need not be said', async (t) => {
  const codesOf = (schema: Parameters<typeof describe>[0]) => [...JSON.stringify(responsesOf(describe(schema))).matchAll(/`([A-Z_]+)`/g)].map(([, code]) => code)
  t.strictSame(codesOf({ security: tokenRequired }), ['TOKEN_MISSING', 'TOKEN_INVALID'])
  t.strictSame(codesOf({ security: tokenOptional }), ['TOKEN_INVALID'])
  for (const part of ['body', 'querystring', 'headers']) t.strictSame(codesOf({ [part]: {} }), ['REQUEST_INVALID'])
  t.strictSame(codesOf({ params: {} }), [])
})

test('failures that older clients know in another shape are described in it', async (t) => {
  const failure = { type: 'object', properties: { success: { const: false } } }
  const responses = responsesOf(describe({}, { codes: ['UPLOAD_TOO_LARGE'], failure }))
  for (const status of ['413', 'default']) t.strictSame(responses[status]?.content, { 'application/json': { schema: failure } })
})

test('a form has one file or several, after its fields', async (t) => {
  t.match(multipartBody('avatar', 1), { required: ['avatar'], properties: { avatar: rawBody } })
  const several = multipartBody('files', 10, { visibility: { type: 'string' } }) as { properties: object }
  t.match(several, { properties: { files: { type: 'array', maxItems: 10, items: rawBody } } })
  t.strictSame(Object.keys(several.properties), ['visibility', 'files'])
})

test('the problem lists every code', async (t) => {
  t.strictSame(Problem.properties.code.enum, errorTable.map(({ code }) => code))
  for (const { code, sentence } of errorTable) t.ok(Problem.description.includes(`\`${code}\``) && Problem.description.includes(sentence), code)
})

test('what waits says for how long, and what counts for the rates where its caller stands', async (t) => {
  const responses = responsesOf(describe({ response: { 201: {} } }, { responses: { 201: { headers: { Location: {} } } }, codes: ['RATE_EXCEEDED', 'IDEMPOTENCY_IN_PROGRESS', 'SCANNER_UNAVAILABLE', 'UPLOAD_TOO_LARGE'] }))
  const headersOf = (status: number) => Object.keys(responses[status]?.headers ?? {})
  t.strictSame(headersOf(201), ['X-Request-Id', 'RateLimit', 'RateLimit-Policy', 'Location'])
  t.strictSame(headersOf(429), ['X-Request-Id', 'RateLimit', 'RateLimit-Policy', 'Retry-After'])
  for (const status of [409, 503]) t.strictSame(headersOf(status), ['X-Request-Id', 'Retry-After'])
  t.strictSame(headersOf(413), ['X-Request-Id'])
  t.strictSame(Object.keys(responsesOf(describe(undefined, { codes: ['ATTEMPTS_EXCEEDED'] }))[429]?.headers ?? {}), ['X-Request-Id', 'Retry-After'], 'where nothing is counted, nothing is said of it')
})
