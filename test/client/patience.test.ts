import { test } from 'tap'
import { networkFailed, UploadGatewayError, type ErrorCode } from '../../src/client/error.ts'
import { createPatience, patiently, pause } from '../../src/client/patience.ts'

const failure = (status: number, code: ErrorCode = 'ANSWER_UNKNOWN', retryAfterSeconds?: number) => new UploadGatewayError('', { code, status, retryAfterSeconds })
const pace = { retries: 3, delayMs: 0 }

test('what may pass is tried again, so often and no more', async (t) => {
  for (const error of [networkFailed('cut'), failure(408), failure(409, 'IDEMPOTENCY_IN_PROGRESS'), failure(429), failure(500), failure(502), failure(503), failure(503, 'READ_ONLY'), failure(507)]) {
    let attempts = 0
    await t.rejects(patiently(pace, async () => { attempts += 1; throw error }), error)
    t.equal(attempts, 4, `${error.status} ${error.code}`)
  }
})

test('what would be the same again is not', async (t) => {
  for (const error of [failure(400), failure(401), failure(403), failure(404), failure(409, 'PICTURE_REPLACED'), failure(410), failure(413), failure(422), failure(501), failure(505), new Error('of the program')]) {
    let attempts = 0
    await t.rejects(patiently(pace, async () => { attempts += 1; throw error }), error)
    t.equal(attempts, 1, error.message || String((error as UploadGatewayError).status))
  }
})

test('an attempt knows whether it is the first', async (t) => {
  const told: boolean[] = []
  t.equal(await patiently(pace, async (isAgain) => {
    told.push(isAgain)
    if (told.length < 3) throw failure(503)
    return 'done'
  }), 'done')
  t.strictSame(told, [false, true, true])
})

test('what achieved something begins to count anew', async (t) => {
  const patience = createPatience({ retries: 1, delayMs: 0 })
  await patience.after(failure(503))
  patience.renew()
  await patience.after(failure(503))
  await t.rejects(patience.after(failure(503, 'STORAGE_UNAVAILABLE')), { code: 'STORAGE_UNAVAILABLE' })
})

test('more can be worth it than what is for every request', async (t) => {
  const patience = createPatience({ ...pace, also: ({ code }) => code === 'CHECKSUM_MISMATCH' })
  await patience.after(failure(460, 'CHECKSUM_MISMATCH'))
  await t.rejects(patience.after(failure(404, 'FILE_NOT_FOUND')), { code: 'FILE_NOT_FOUND' })
})

test('waits grow, each at least half of the one meant, and Retry-After is kept', async (t) => {
  const waited: number[] = []
  t.intercept(globalThis, 'setTimeout', { value: (run: () => void, ms: number) => { waited.push(ms); queueMicrotask(run) } })
  const patience = createPatience({ retries: 20, delayMs: 500 })
  for (let i = 0; i < 10; i++) await patience.after(failure(503))
  for (const [i, ms] of waited.entries()) {
    const most = Math.min(30_000, 500 * 2 ** i)
    t.ok(ms >= most / 2 && ms <= most, `${i}: ${ms}`)
  }
  waited.length = 0
  await patience.after(failure(429, 'RATE_EXCEEDED', 42))
  t.strictSame(waited, [42_000])
  await t.rejects(patience.after(failure(429, 'RATE_EXCEEDED', 3600)), { code: 'RATE_EXCEEDED' }, 'an hour is told, not waited for')
})

test('a pause ends when it is aborted, with the reason', async (t) => {
  const controller = new AbortController()
  const waiting = pause(60_000, controller.signal)
  controller.abort(new Error('enough'))
  await t.rejects(waiting, { message: 'enough' })
  await t.rejects(createPatience({ ...pace, signal: controller.signal }).after(failure(503)), { message: 'enough' })
})

test('a browser that is back on line does not wait for the end', async (t) => {
  const events = new EventTarget()
  t.intercept(globalThis, 'addEventListener' as keyof typeof globalThis, { value: events.addEventListener.bind(events) })
  t.intercept(globalThis, 'removeEventListener' as keyof typeof globalThis, { value: events.removeEventListener.bind(events) })
  const waiting = pause(60_000)
  events.dispatchEvent(new Event('online'))
  t.equal(await waiting, undefined)
})
