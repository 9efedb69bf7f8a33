import t from 'tap'
import { diagnose } from '../../../src/operations/doctor/doctor.ts'
import { checkWebhook } from '../../../src/operations/doctor/webhook.ts'
import { webhookSecret } from '../../events/fixtures/receiver.ts'
import { usedGateway } from '../fixtures/used-gateway.ts'

const at = new Date('2026-11-23T10:11:12.345Z')
const before = (minutes: number) => new Date(at.getTime() - minutes * 60_000)
const webhook = { url: 'http://chat.example', secrets: ['x'] as const }
const nothing = { waiting: 0, dead: 0, oldestAt: undefined, isWanted: true }

const check = (seen: Parameters<typeof checkWebhook>[1], given: Parameters<typeof checkWebhook>[0]['webhook'] = undefined) => checkWebhook({ webhook: given }, seen, () => at)

t.test('without a webhook, or a database, nothing is said of it', async (t) => {
  t.strictSame(await check({ ...nothing, isWanted: false }), [])
  t.strictSame(await check(undefined, webhook), [])
})

t.test('what is on its way is in order', async (t) => {
  t.match(await check({ ...nothing, isWanted: false }, webhook), [{ area: 'webhook', name: 'events', level: 'ok', detail: '0 to be delivered; 0 given up.', change: null }])
  t.match(await check({ ...nothing, waiting: 3, oldestAt: before(5) }), [{ level: 'ok', detail: '3 to be delivered, the oldest since 2026-11-23T10:06:12.345Z; 0 given up.' }])
})

t.test('what waits for long, or was given up, is told with the command that helps', async (t) => {
  t.match(await check({ ...nothing, waiting: 3, oldestAt: before(6) }), [{ level: 'warning', detail: /^3 to be delivered/, change: /"upload-gateway events retry --all"/ }])
  t.match(await check({ ...nothing, dead: 2 }), [{ level: 'warning', detail: '0 to be delivered; 2 given up.', change: /retry --all/ }])
})

t.test('what is left of a webhook that was taken away is told', async (t) => {
  t.match(await check({ waiting: 1, dead: 0, oldestAt: before(99), isWanted: false }), [{ level: 'ok', detail: /no webhook any more.*30 days.*1 to be delivered/ }])
})

t.test('doctor sees it in the database, also with settings that have none', async (t) => {
  const { post, app, config } = await usedGateway(t, { WEBHOOK_URL: 'http://127.0.0.1:1/', WEBHOOK_SECRET: webhookSecret })
  await post('ada')
  await app.close()
  const { checks } = await diagnose({ ...config, webhook: undefined }, { url: 'http://127.0.0.1:1' })
  t.match(checks.find(({ area }) => area === 'webhook'), { level: 'ok', detail: /^1 to be delivered, the oldest since 20/ })
})
