import { setTimeout } from 'node:timers/promises'
import { test } from 'tap'
import { createFaults } from '../fixtures/faults.ts'
import { build, picture } from '../helper.ts'

test('a gateway that stood still while another database took its home changes nothing any more, and is not ready', async (t) => {
  let nowMs = 0
  const { app, as, files, read } = await build(t, {}, { monotonicMs: () => nowMs })
  const headers = { ...await as('ada'), 'content-type': 'image/jpeg' }
  const put = async () => app.inject({ method: 'PUT', url: '/api/avatars/me', headers, payload: await picture('jpeg') })
  const ready = async () => (await app.inject('/health/ready')).statusCode
  t.match(await put(), { statusCode: 201 })
  t.equal(await ready(), 200)
  const kept = await files()
  const { claim } = app.storage
  const own = JSON.parse(await read('database.json'))
  await claim.assign({ id: 'another', name: 'another' })
  nowMs += 100_000
  t.match(await put(), { statusCode: 503, headers: { 'retry-after': /^\d+$/ } })
  t.match(await app.inject({ method: 'DELETE', url: '/api/avatars/me', headers: await as('ada') }), { statusCode: 503 })
  t.equal((await app.inject({ url: '/api/avatars/ada' })).statusCode, 200, 'who reads may finish')
  t.strictSame(await files(), kept)
  // An answer serves everyone for a second.
  await setTimeout(1000)
  t.equal(await ready(), 503)
  await claim.assign({ id: own.database, name: own.name })
  t.match(await put(), { statusCode: 200 })
})

test('a home that cannot be seen stops only what needs it', async (t) => {
  let nowMs = 0
  const faults = createFaults()
  const { app, as } = await build(t, {}, { fs: faults.fs, monotonicMs: () => nowMs })
  faults.inject({ on: 'open', path: /database\.json$/, errno: 'EIO', forever: true })
  nowMs += 100_000
  t.match(await app.inject({ method: 'POST', url: '/api/auth/register', payload: { email: 'ada@example.com', password: 'correct horse battery', displayName: 'Ada' } }), { statusCode: 201 })
  t.match(await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...await as('ada'), 'content-type': 'image/jpeg' }, payload: await picture('jpeg') }), { statusCode: 503 })
})
