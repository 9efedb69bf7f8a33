import { test } from 'tap'
import { failureOf, networkFailed, UploadGatewayError } from '../../src/client/error.ts'
import { problem } from './fixtures/serve.ts'

test('a problem of the gateway is an error with its code, status and words', async (t) => {
  const fields = [{ in: 'form', name: 'visibility', detail: 'must be private or public' }]
  const error = await failureOf(new Response(JSON.stringify({ code: 'UPLOAD_FIELD_INVALID', status: 400, detail: 'A form field is not valid.', requestId: 'r-7', errors: fields }), { status: 400 }))
  t.ok(error instanceof UploadGatewayError && error instanceof Error)
  t.match(error, { name: 'UploadGatewayError', code: 'UPLOAD_FIELD_INVALID', status: 400, message: 'A form field is not valid.', requestId: 'r-7', retryAfterSeconds: undefined, fields })
})

test('Retry-After is seconds, or a date; anything else says nothing', async (t) => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  for (const [text, seconds] of [['7', 7], ['0', 0], ['Thu, 01 Jan 2026 00:01:30 GMT', 90], ['Wed, 31 Dec 2025 00:00:00 GMT', 0], ['soon', undefined]] as const) {
    t.equal((await failureOf(problem(429, 'RATE_EXCEEDED', { 'Retry-After': text }), now)).retryAfterSeconds, seconds, text)
  }
})

test('an answer that is none of the gateway\'s is told from its own', async (t) => {
  for (const body of ['<h1>Bad Gateway</h1>', '', '"text"', 'null', '{"error":"other"}']) {
    const error = await failureOf(new Response(body, { status: 502, headers: { 'X-Request-Id': 'r-8' } }))
    t.match(error, { code: 'ANSWER_UNKNOWN', status: 502, requestId: 'r-8', message: 'The gateway answered 502.', fields: { length: 0 } }, body)
  }
})

test('an answer that breaks off has a status all the same', async (t) => {
  const broken = new Response(new ReadableStream({ start: (controller) => controller.error(new Error('cut')) }), { status: 503 })
  t.match(await failureOf(broken), { code: 'ANSWER_UNKNOWN', status: 503, requestId: undefined })
})

test('no answer at all has status 0, and keeps why', (t) => {
  const cause = new TypeError('fetch failed')
  t.match(networkFailed(cause), { code: 'NETWORK_FAILED', status: 0, cause })
  t.end()
})

test('a page is told that its origin may be the reason; other programs have none', (t) => {
  t.equal(networkFailed(undefined).message, 'The gateway did not answer: the connection failed or stood still.')
  t.intercept(globalThis, 'location' as keyof typeof globalThis, { value: { origin: 'https://app.example' } })
  t.match(networkFailed(undefined).message, /^The gateway did not answer: .* https:\/\/app\.example, .* CORS_ORIGINS\.$/)
  t.end()
})
