import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import Fastify from 'fastify'
import { test } from 'tap'
import { ConfigError, databaseAddress, environmentSchema, readConfig } from '../src/config.ts'
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
    host: '127.0.0.1', port: 3001, publicUrl: 'http://localhost:3001', trustProxy: false, corsOrigins: { length: 0 }, avatarMaxBytes: 5_242_880, uploadsDir: '/volume',
    databaseFile: '/volume/database/gateway.sqlite', keys: { mode: 'generated' }, hasAccounts: true, diskReserveBytes: undefined,
  })
  t.strictSame(config.callerLimits('ada'), { quotaBytes: 10_737_418_240, quotaFiles: 100_000, rateUploads: 0, rateBytes: 0 }, 'one user fills neither the disk nor the database')
  t.ok(Object.isFrozen(config))
  t.end()
})

test('a path without / at its beginning begins where the process was started, also in a URL', (t) => {
  const file = (path: string) => join(process.cwd(), path)
  t.match(readConfig({ UPLOADS_DIR: 'volume', DATABASE_URL: 'file:./records.sqlite', STORAGE_FALLBACK_URL: 'file:old' }), { uploadsDir: file('volume'), database: { file: file('records.sqlite') }, databaseFile: file('records.sqlite'), fallback: { folder: file('old') } })
  t.match(readConfig({ DATABASE_URL: 'file:///db/records.sqlite' }), { database: { file: '/db/records.sqlite' } })
  t.end()
})

test('what is set is read', (t) => {
  const config = readConfig({ PUBLIC_URL: 'https://media.example//', TRUST_PROXY: '10.0.0.0/8, 127.0.0.1', CORS_ORIGINS: 'https://a.example,https://b.example', DATABASE_URL: 'file:/data/x.sqlite', DISK_RESERVE: '0', JWT_SECRET: `${secret}, ${secret}2` })
  t.match(config, { publicUrl: 'https://media.example', trustProxy: ['10.0.0.0/8', '127.0.0.1'], corsOrigins: ['https://a.example', 'https://b.example'], databaseFile: '/data/x.sqlite', diskReserveBytes: 0, keys: { mode: 'secret', secrets: [secret, `${secret}2`] } })
  t.equal(readConfig({ TRUST_PROXY: 'true' }).trustProxy, true)
  t.strictSame(readConfig({ TRUST_PROXY: 'loopback,uniquelocal, linklocal, ::1, fd00::/8, 10.1.2.3/32' }).trustProxy, ['loopback', 'uniquelocal', 'linklocal', '::1', 'fd00::/8', '10.1.2.3/32'])
  t.strictSame(readConfig({ CORS_ORIGINS: '*, capacitor://localhost' }).corsOrigins, ['*', 'capacitor://localhost'])
  t.equal(readConfig({ PUBLIC_URL: 'https://media.example:443' }).publicUrl, 'https://media.example')
  t.equal(readConfig({ TRUST_PROXY: 'false' }).trustProxy, false)
  t.match(readConfig({ ACCOUNTS: 'off', JWT_JWKS_URL: 'https://id.example/jwks', JWT_AUDIENCE: 'uploads' }).keys, { mode: 'jwks', url: 'https://id.example/jwks' })
  t.match(readConfig({ ACCOUNTS: 'off', JWT_PUBLIC_KEY: 'a\\nb' }).keys, { mode: 'public-key', pem: 'a\nb' })
  t.end()
})

test('a number of proxies is how many of the last addresses are believed', async (t) => {
  const ipBehind = async (proxies: string) => {
    const { trustProxy } = readConfig({ TRUST_PROXY: proxies })
    const app = Fastify({ trustProxy })
    t.teardown(() => app.close())
    app.get('/', async ({ ip }) => ip)
    return (await app.inject({ url: '/', remoteAddress: '10.0.0.1', headers: { 'x-forwarded-for': '6.6.6.6, 203.0.113.7, 10.0.0.2' } })).body
  }
  t.equal(await ipBehind('0'), '10.0.0.1')
  t.equal(await ipBehind('1'), '10.0.0.2')
  t.equal(await ipBehind('2'), '203.0.113.7', 'and not what the client claimed before')
  t.equal(await ipBehind('10.0.0.0/8'), '203.0.113.7')
  t.equal(await ipBehind('true'), '6.6.6.6')
})

test('a PostgreSQL has to be named with its database', (t) => {
  for (const url of ['postgres://ada:secret@db:5432', 'postgres://ada@db/', 'postgres://db?sslmode=require']) {
    t.throws(() => readConfig({ DATABASE_URL: url }), { name: 'ConfigError', message: /^DATABASE_URL names no database\. It must be of the form postgres:/ }, url)
  }
  t.end()
})

test('a database that an option of a command names says so, also when it cannot be read', (t) => {
  t.strictSame(databaseAddress('file:/data/x.sqlite', '/uploads', '--from'), { setting: '--from', kind: 'sqlite', file: '/data/x.sqlite' })
  t.strictSame(databaseAddress('postgres://db/name', '/uploads', '--to'), { setting: '--to', kind: 'postgresql', url: 'postgres://db/name' })
  t.strictSame(databaseAddress('postgres://db/name', '/uploads'), { kind: 'postgresql', url: 'postgres://db/name' })
  t.throws(() => databaseAddress('postgres://ada:sec/ret@db/name', '/uploads', '--to'), { name: 'ConfigError', message: /^--to cannot be read\. It must be of the form postgres:/ })
  t.throws(() => databaseAddress('postgres://db', '/uploads', '--from'), { name: 'ConfigError', message: /^--from names no database\./ })
  t.end()
})

test('a key can be read from a file', async (t) => {
  const file = join(await temporaryFolder(t), 'key.pem')
  await writeFile(file, 'a key')
  t.match(readConfig({ ACCOUNTS: 'off', JWT_PUBLIC_KEY_FILE: file }), { keys: { mode: 'public-key', pem: 'a key' }, jwtPublicKeyFile: file })
  t.equal(readConfig({}).jwtPublicKeyFile, undefined)
  t.throws(() => readConfig({ ACCOUNTS: 'off', JWT_PUBLIC_KEY_FILE: `${file}.not` }), { name: 'ConfigError', message: /JWT_PUBLIC_KEY_FILE cannot be read/ })
})

test('a setting that is wrong stops the start with a sentence that names it', (t) => {
  const wrong: Array<[Record<string, string>, RegExp]> = [
    [{ PORT: 'x' }, /PORT must be a whole number/],
    [{ PORT: '70000' }, /PORT/],
    [{ REQUIRE_MOUNT: 'maybe' }, /REQUIRE_MOUNT must be true or false/],
    [{ LOG_LEVEL: 'loud' }, /LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent\./],
    [{ ACCOUNTS: 'on' }, /ACCOUNTS must be one of embedded, off\./],
    [{ AVATAR_MAX_BYTES: '0' }, /AVATAR_MAX_BYTES must be at least 1\./],
    [{ DATABASE_URL: 'mysql://x' }, /DATABASE_URL must be of the form file:\/path or postgres:/],
    [{ JWT_JWKS_URL: 'id.example' }, /JWT_JWKS_URL must be an http or https URL\./],
    [{ DISK_RESERVE: '5GB' }, /DISK_RESERVE must be a whole number of bytes\./],
    [{ PUBLIC_URL: 'media.example' }, /PUBLIC_URL/],
    [{ PUBLIC_URL: 'ftp://media.example' }, /PUBLIC_URL/],
    ...['https://media.example/files', 'https://media.example/?a', 'https://media.example/#a', 'https://ada:x@media.example'].map((url): [Record<string, string>, RegExp] => [{ PUBLIC_URL: url }, /PUBLIC_URL must be an origin such as https:\/\/media\.example, /]),
    ...['https://app.example/', 'https://app.example:443', 'app.example', 'https://', 'https://APP.example', 'https://app.example/a', 'mailto:ada'].map((origin): [Record<string, string>, RegExp] => [{ CORS_ORIGINS: `*,${origin}` }, /CORS_ORIGINS must be \* or origins/]),
    ...['10.0.0.0/33', '10.0.0', '::1/129', '10.0.0.0/8/8', '10.0.0.0/', '10.0.0.0/x', 'fe80::1%eth0', 'proxy', 'yes', '1000', '-1', ',', '10.0.0.1,,proxy'].map((value): [Record<string, string>, RegExp] => [{ TRUST_PROXY: value }, /TRUST_PROXY must be a number of proxies, /]),
    [{ STORAGE_FALLBACK_URL: '/uploads' }, /STORAGE_FALLBACK_URL must be of the form file:\/path, s3:/],
    [{ UPLOADS_DIR: '/uploads', STORAGE_FALLBACK_URL: 'file:/uploads/' }, /STORAGE_FALLBACK_URL names the very home that the gateway writes to/],
    [{ STORAGE_URL: 's3://bucket/a/', STORAGE_FALLBACK_URL: 's3://bucket/a' }, /STORAGE_FALLBACK_URL names the very home/],
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

test('a second place for the ledger is none when it lies on the volume', (t) => {
  const UPLOADS_DIR = '/srv/uploads'
  for (const ERASURE_LEDGER of ['/srv/uploads/ledger', '/srv/uploads/a/b', '/srv/uploads', '/srv/other/../uploads/erasures.ndjson', '/srv/uploads/..ledger']) {
    t.throws(() => readConfig({ UPLOADS_DIR, ERASURE_LEDGER }), { name: 'ConfigError', message: /ERASURE_LEDGER .* lies on the uploads volume.*another disk/ }, ERASURE_LEDGER)
  }
  for (const ERASURE_LEDGER of ['/srv/uploads.ledger', '/srv/ledger', '/ledger', '/srv/uploads/../x']) t.equal(readConfig({ UPLOADS_DIR, ERASURE_LEDGER }).erasureLedger, join(ERASURE_LEDGER))
  t.equal(readConfig({ UPLOADS_DIR }).erasureLedger, undefined)
  t.end()
})

test('limits of some callers, and a webhook, are read or refused with what to do', (t) => {
  const { callerLimits, webhook } = readConfig({ QUOTA_BYTES: '10', CALLER_OVERRIDES: 'importer quotaBytes=0 rateUploads=6000; chat quotaFiles=7', WEBHOOK_URL: 'https://chat.example/hook', WEBHOOK_SECRET: `whsec_${'a'.repeat(44)}` })
  t.strictSame(callerLimits('importer'), { ...callerLimits('ada'), quotaBytes: 0, rateUploads: 6000 })
  t.strictSame(callerLimits('chat'), { ...callerLimits('ada'), quotaFiles: 7 })
  t.strictSame(webhook, { url: 'https://chat.example/hook', secrets: [`whsec_${'a'.repeat(44)}`] })
  t.throws(() => readConfig({ CALLER_OVERRIDES: 'importer' }), { message: /CALLER_OVERRIDES must be of the form/ })
  t.throws(() => readConfig({ CALLER_OVERRIDES: 'importer quota=1' }), { message: /not "importer quota=1"/ })
  t.throws(() => readConfig({ WEBHOOK_URL: 'http://[' }), { message: /WEBHOOK_URL must be an http or https URL/ })
  t.throws(() => readConfig({ WEBHOOK_URL: 'https://chat.example', WEBHOOK_SECRET: 'short' }), { message: /openssl rand/ })
  t.throws(() => readConfig({ LINK_SECRET: 'short' }), { message: /LINK_SECRET must be at least 32 bytes/ })
  t.end()
})

test('the other home of a move is a volume or an object store', (t) => {
  const fallback = (env: Record<string, string>) => readConfig({ UPLOADS_DIR: '/uploads', ...env }).fallback
  t.equal(fallback({}), undefined)
  t.strictSame(fallback({ STORAGE_URL: 's3://bucket', STORAGE_FALLBACK_URL: 'file:/uploads' }), { kind: 'volume', folder: '/uploads' })
  t.strictSame(fallback({ STORAGE_FALLBACK_URL: 'azblob://container/x', STORAGE_FALLBACK_ENDPOINT: 'http://azure', STORAGE_FALLBACK_PATH_STYLE: 'true' }), { kind: 'azblob', container: 'container', prefix: 'x/', endpoint: 'http://azure', isPathStyle: true })
  t.end()
})
