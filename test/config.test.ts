import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { test } from 'tap'
import { ConfigError, environmentSchema, readConfig } from '../src/config.ts'
import { temporaryFolder } from './helper.ts'

const secret = 'x'.repeat(32)
const settings = Object.entries(environmentSchema.properties as unknown as Record<string, { description?: string, default?: unknown }>)

test('.env.example says of each setting what it is and what it is by default', (t) => {
  const expected = settings.map(([name, { description, default: value }]) => `# ${description}\n# ${name}=${String(value)}\n`)
  const text = readFileSync(new URL('../.env.example', import.meta.url), 'utf8')
  for (const block of expected) t.ok(text.includes(`\n${block}`), block)
  const named = [...text.matchAll(/^# ([A-Z_]+)=/gm)].map(([, name]) => name)
  t.strictSame(named, settings.map(([name]) => name), 'each once, in the order of the schema')
  t.end()
})

test('README lists each setting with its default', (t) => {
  const text = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  for (const [name, { default: value, description }] of settings) {
    t.ok(text.includes(`| \`${name}\` | ${value === '' ? '' : `\`${String(value)}\``} | ${description} |`), name)
  }
  t.end()
})

test('what is absent or empty has its default', (t) => {
  const config = readConfig({ PORT: '', AVATAR_MAX_BYTES: undefined, UPLOADS_DIR: '/volume' })
  t.match(config, {
    host: '127.0.0.1', port: 3001, publicUrl: 'http://localhost:3001', trustProxy: false, corsOrigins: [], avatarMaxBytes: 5_242_880, uploadsDir: '/volume',
    databaseFile: '/volume/database/gateway.sqlite', keys: { mode: 'generated' }, hasAccounts: true, diskReserveBytes: undefined,
  })
  t.ok(Object.isFrozen(config))
  t.end()
})

test('what is set is read', (t) => {
  const config = readConfig({ PUBLIC_URL: 'https://media.example//', TRUST_PROXY: '10.0.0.0/8, 127.0.0.1', CORS_ORIGINS: 'https://a.example,https://b.example', DATABASE_URL: 'file:/data/x.sqlite', DISK_RESERVE: '0', JWT_SECRET: `${secret}, ${secret}2` })
  t.match(config, { publicUrl: 'https://media.example', trustProxy: ['10.0.0.0/8', '127.0.0.1'], corsOrigins: ['https://a.example', 'https://b.example'], databaseFile: '/data/x.sqlite', diskReserveBytes: 0, keys: { mode: 'secret', secrets: [secret, `${secret}2`] } })
  t.equal(readConfig({ TRUST_PROXY: 'true' }).trustProxy, true)
  t.equal(readConfig({ TRUST_PROXY: 'false' }).trustProxy, false)
  t.match(readConfig({ ACCOUNTS: 'off', JWT_JWKS_URL: 'https://id.example/jwks', JWT_AUDIENCE: 'uploads' }).keys, { mode: 'jwks', url: 'https://id.example/jwks' })
  t.match(readConfig({ ACCOUNTS: 'off', JWT_PUBLIC_KEY: 'a\\nb' }).keys, { mode: 'public-key', pem: 'a\nb' })
  t.end()
})

test('a key can be read from a file', async (t) => {
  const file = join(await temporaryFolder(t), 'key.pem')
  await writeFile(file, 'a key')
  t.match(readConfig({ ACCOUNTS: 'off', JWT_PUBLIC_KEY_FILE: file }).keys, { mode: 'public-key', pem: 'a key' })
  t.throws(() => readConfig({ ACCOUNTS: 'off', JWT_PUBLIC_KEY_FILE: `${file}.not` }), { name: 'ConfigError', message: /JWT_PUBLIC_KEY_FILE cannot be read/ })
})

test('a setting that is wrong stops the start with a sentence that names it', (t) => {
  const wrong: Array<[Record<string, string>, RegExp]> = [
    [{ PORT: 'x' }, /PORT must be integer/],
    [{ PORT: '70000' }, /PORT/],
    [{ REQUIRE_MOUNT: 'maybe' }, /REQUIRE_MOUNT must be boolean/],
    [{ LOG_LEVEL: 'loud' }, /LOG_LEVEL/],
    [{ DATABASE_URL: 'mysql://x' }, /DATABASE_URL/],
    [{ DISK_RESERVE: '5%' }, /DISK_RESERVE/],
    [{ PUBLIC_URL: 'media.example' }, /PUBLIC_URL/],
    [{ PUBLIC_URL: 'ftp://media.example' }, /PUBLIC_URL/],
    [{ JWT_SECRET: 'short' }, /at least 32 bytes/],
    [{ JWT_SECRET: `${secret},short` }, /at least 32 bytes/],
    [{ JWT_SECRET: ',' }, /at least 32 bytes/],
    [{ JWT_SECRET: secret, JWT_PUBLIC_KEY: 'pem' }, /only one of/],
    [{ JWT_PUBLIC_KEY: 'pem' }, /ACCOUNTS=off/],
    [{ ACCOUNTS: 'off' }, /needs a key/],
    [{ ACCOUNTS: 'off', JWT_JWKS_URL: 'https://id.example' }, /JWT_AUDIENCE/],
  ]
  for (const [env, message] of wrong) t.throws(() => readConfig(env), { name: 'ConfigError', message }, JSON.stringify(env))
  t.ok(new ConfigError('x') instanceof Error)
  t.end()
})
