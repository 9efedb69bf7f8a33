import { join } from 'node:path'
import t from 'tap'
import { readConfig } from '../../../src/config.ts'
import { checkConfiguration } from '../../../src/operations/doctor/configuration.ts'

const strong = 'kZ8vQ2mR7xT4bN9cL1wE6yU3iO5pA0sD+fGhJ'

async function check (env: Record<string, string>, name: string) {
  const checks = await checkConfiguration(readConfig({ UPLOADS_DIR: '/nowhere', ...env }), undefined)
  return checks.find((one) => one.name === name)
}

t.test('settings that a gateway would not start with are a problem, whatever else is said', async (t) => {
  t.match(await checkConfiguration(readConfig({}), 'PORT must be a whole number.'), [{ level: 'problem', detail: /PORT must be a whole number/, change: /\.env\.example/ }])
  t.match(await check({}, 'settings'), { level: 'ok' })
})

t.test('keys that can be guessed or forged are told', async (t) => {
  t.match(await check({ JWT_SECRET: strong }, 'keys'), { level: 'ok', detail: /One secret/ })
  t.match(await check({ JWT_SECRET: `${strong},${strong}x` }, 'keys'), { level: 'ok', detail: /2 secrets/ })
  t.match(await check({ JWT_SECRET: `${strong},${'secret'.repeat(6)}` }, 'keys'), { level: 'warning', detail: /number 2 has only 5 different/, change: /openssl/ })
  t.match(await check({}, 'keys'), { level: 'unknown', detail: /no \/nowhere\/database\/jwt\.secret/ })
  t.match(await check({ UPLOADS_DIR: t.testdir({ database: { 'jwt.secret': '' } }) }, 'keys'), { level: 'ok', detail: /made the key/ })
  t.match(await check({ ACCOUNTS: 'off', JWT_PUBLIC_KEY: 'pem' }, 'keys'), { level: 'ok', detail: /public key/ })
  t.match(await check({ ACCOUNTS: 'off', JWT_AUDIENCE: 'x', JWT_JWKS_URL: 'https://id.example/jwks' }, 'keys'), { level: 'ok' })
  t.match(await check({ ACCOUNTS: 'off', JWT_AUDIENCE: 'x', JWT_JWKS_URL: 'http://id.example/jwks' }, 'keys'), { level: 'warning', detail: /without TLS/ })
})

t.test('an address that leads nowhere, or that can be listened to, is told', async (t) => {
  t.match(await check({}, 'PUBLIC_URL'), { level: 'ok', detail: /only this machine/ })
  t.match(await check({ HOST: '0.0.0.0' }, 'PUBLIC_URL'), { level: 'warning', change: /Set PUBLIC_URL/ })
  t.match(await check({ PUBLIC_URL: 'http://files.example' }, 'PUBLIC_URL'), { level: 'warning', detail: /without TLS/ })
  t.match(await check({ PUBLIC_URL: 'https://files.example' }, 'PUBLIC_URL'), { level: 'ok' })
})

t.test('proxies that are believed too much, or not at all, are told', async (t) => {
  t.match(await check({}, 'TRUST_PROXY'), { level: 'ok' })
  t.match(await check({ TRUST_PROXY: 'true' }, 'TRUST_PROXY'), { level: 'warning' })
  t.match(await check({ PUBLIC_URL: 'https://files.example' }, 'TRUST_PROXY'), { level: 'warning', change: /TRUST_PROXY=1/ })
  for (const trusted of ['1', '10.0.0.0/8']) t.match(await check({ PUBLIC_URL: 'https://files.example', TRUST_PROXY: trusted }, 'TRUST_PROXY'), { level: 'ok' })
})

t.test('origins and retention that are unwise are told', async (t) => {
  t.match(await check({}, 'CORS_ORIGINS'), { level: 'ok', detail: /No web page/ })
  t.match(await check({ CORS_ORIGINS: 'https://app.example' }, 'CORS_ORIGINS'), { level: 'ok', detail: /app\.example/ })
  t.match(await check({ CORS_ORIGINS: '*' }, 'CORS_ORIGINS'), { level: 'warning' })
  t.match(await check({}, 'TRASH_RETENTION_DAYS'), { level: 'ok', detail: /30 days/ })
  t.match(await check({ TRASH_RETENTION_DAYS: '0' }, 'TRASH_RETENTION_DAYS'), { level: 'warning' })
})

t.test('a ledger of erasures that would be lost with the volume is told', async (t) => {
  const folder = t.testdir({ uploads: {} })
  const uploads = { UPLOADS_DIR: join(folder, 'uploads') }
  t.match(await check(uploads, 'ERASURE_LEDGER'), { level: 'warning', detail: /volume alone/ })
  t.match(await check({ ...uploads, ERASURE_LEDGER: join(folder, 'ledger') }, 'ERASURE_LEDGER'), { level: 'warning', detail: /same file system/ })
  t.match(await check({ ...uploads, ERASURE_LEDGER: '/proc/ledger' }, 'ERASURE_LEDGER'), { level: 'ok' })
  t.match(await check({ ...uploads, ERASURE_LEDGER: join(folder, 'none', 'ledger') }, 'ERASURE_LEDGER'), { level: 'problem', detail: /ENOENT/ })
})
