// The environment as one schema, read once into one frozen Config. .env.example mirrors it, held in step by a test.
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { Ajv } from 'ajv'
import { Type, type Static, type TSchemaOptions } from 'typebox'
import { wordingOf, type SchemaFailure } from './wording.ts'

/** The start is refused: the message says which setting is wrong and what to do. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

const text = (description: string, options: TSchemaOptions = {}) => Type.String({ description, default: '', ...options })
const count = (description: string, value: number, minimum = 0) => Type.Integer({ description, default: value, minimum })
const flag = (description: string) => Type.Boolean({ description, default: false })

const Environment = Type.Object({
  HOST: text('Address to listen on; 0.0.0.0 for all of IPv4.', { default: '127.0.0.1' }),
  PORT: Type.Integer({ description: 'Port to listen on; 0 takes a free one.', default: 3001, minimum: 0, maximum: 65535 }),
  PUBLIC_URL: text('Where clients reach the gateway, as an origin without a path; for the absolute URLs it hands out. Empty: http://localhost:PORT.'),
  TRUST_PROXY: text('Proxies whose X-Forwarded-* headers are believed: their number, where they are the only way in (1: one proxy), or their addresses and networks, comma separated. "true" believes all that clients claim of themselves.'),
  CORS_ORIGINS: text('Web origins that may call the API from a browser, such as https://app.example, comma separated, or * for all. Empty: none.'),
  LOG_LEVEL: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], { description: 'How much is logged: fatal, error, warn, info, debug, trace or silent.', default: 'info' }),

  UPLOADS_DIR: text('The uploads volume: the one folder to mount and to back up. With STORAGE_URL only what is in flight, and resized pictures.', { default: './uploads' }),
  REQUIRE_MOUNT: flag('Refuse to start when UPLOADS_DIR is not a mount of its own. Set in the container image.'),
  DISK_RESERVE: text('Bytes of free space that uploads leave alone. Empty: the smaller of 5 % of the volume and 2 GiB.', { pattern: '^\\d*$', 'x-allowed': 'a whole number of bytes' }),
  DATABASE_URL: text('The database: SQLite as file:/path, PostgreSQL as postgres://user:password@host:5432/name. Empty: database/gateway.sqlite on the uploads volume.', { pattern: '^(file:.+|postgres(ql)?://.+)?$', 'x-allowed': 'of the form file:/path or postgres://user:password@host:5432/name' }),
  DATABASE_CONNECTIONS: Type.Integer({ description: 'Connections of one gateway to PostgreSQL, beside one that only listens and holds locks.', default: 10, minimum: 1, maximum: 1000 }),
  STORAGE_URL: text('Where uploads are kept instead of the volume: s3://bucket/prefix or azblob://container/prefix. Empty: in UPLOADS_DIR.', { pattern: '^((s3|azblob)://[^/?#]+(/[^?#]*)?)?$', 'x-allowed': 'of the form s3://bucket/prefix or azblob://container/prefix' }),
  STORAGE_ENDPOINT: text('The object store, as an http or https URL: of an S3-compatible one, or the blob service of an Azure account. Empty: Amazon S3, or what the Azure credentials say.', { pattern: '^(https?://.+)?$', 'x-allowed': 'an http or https URL' }),
  STORAGE_PATH_STYLE: flag('Name the bucket in the path instead of the host, as most S3-compatible stores want it.'),
  STORAGE_FALLBACK_URL: text('While uploads move: the other home, where what is not in this one is read, and removed too; file:/path of a volume, s3://bucket/prefix or azblob://container/prefix.', { pattern: '^(file:.+|(s3|azblob)://[^/?#]+(/[^?#]*)?)?$', 'x-allowed': 'of the form file:/path, s3://bucket/prefix or azblob://container/prefix' }),
  STORAGE_FALLBACK_ENDPOINT: text('As STORAGE_ENDPOINT, of the other home.', { pattern: '^(https?://.+)?$', 'x-allowed': 'an http or https URL' }),
  STORAGE_FALLBACK_PATH_STYLE: flag('As STORAGE_PATH_STYLE, of the other home.'),
  DELIVERY: Type.Enum(['stream', 'redirect'], { description: 'How clients get stored bytes of an object store: stream (through the gateway) or redirect (to a URL of the store that works for a minute).', default: 'stream' }),
  READ_ONLY: flag('Serve what there is and refuse every change with 503, as while a deployment moves to another database.'),

  AVATAR_MAX_BYTES: count('Largest avatar, in bytes.', 5 * 1024 ** 2, 1),
  ATTACHMENT_MAX_BYTES: count('Largest attachment, in bytes.', 100 * 1024 ** 2, 1),
  AVATAR_METADATA: Type.Enum(['remove', 'keep'], { description: 'What becomes of location, names and other personal metadata in avatars, where an upload does not say: remove or keep.', default: 'remove' }),
  ATTACHMENT_METADATA: Type.Enum(['remove', 'keep'], { description: 'The same for pictures that users attach. What services attach is kept as it is unless they ask.', default: 'remove' }),
  UPLOAD_IDLE_SECONDS: count('An upload that sends nothing for this long is ended.', 30, 1),
  UPLOAD_MIN_BYTES_PER_SECOND: count('An upload slower than this, averaged over UPLOAD_IDLE_SECONDS, is ended. 0: any speed will do.', 1024),
  RESUMABLE_EXPIRY_SECONDS: count('A resumable upload that is not finished is kept for this long after its last bytes.', 86_400, 60),
  RESUMABLE_CHUNK_BYTES: count('The size of one request of a resumable upload that clients are told to use, in bytes.', 16 * 1024 ** 2, 1024),

  QUOTA_BYTES: count('What one user may keep, in bytes, without what is in the trash up to its own limit. 0: no limit.', 10 * 1024 ** 3),
  QUOTA_FILES: count('How many files one user may keep: each takes room beside its bytes. 0: no limit.', 100_000),
  RATE_UPLOADS_PER_MINUTE: count('Uploads that one caller may begin in a minute. 0: no limit.', 0),
  RATE_BYTES_PER_MINUTE: count('Bytes that one caller may upload in a minute. 0: no limit.', 0),
  CALLER_OVERRIDES: text('Other limits for some callers, such as services: "id quotaBytes=0 rateUploads=6000", several separated by semicolons; quotaBytes, quotaFiles, rateUploads and rateBytes stand for the settings above.'),

  LINK_SECRET: text('What links to attachments and media sessions are signed with, at least 32 bytes; several, comma separated, while rotating: the first signs, all verify. Empty: one is made and kept beside the database.'),
  MEDIA_SESSION_SECONDS: count('How long a media session lasts; no longer than the token it was made with.', 43_200, 60),

  CLAMD_URL: text('The ClamAV daemon that looks at every upload, as tcp://host:port or unix:/path. Empty: none does.', { pattern: '^(tcp://[^/]+:\\d+|unix:/.+)?$', 'x-allowed': 'of the form tcp://host:port or unix:/path' }),
  SCAN_FAIL_OPEN: flag('Keep what cannot be scanned, marked as unscanned, rather than refuse it.'),
  SCAN_TIMEOUT_SECONDS: count('How long the scan of one file may take, waiting for its turn included.', 60, 1),

  WEBHOOK_URL: text('Where every created, replaced, deleted and erased file is told, as an http or https URL. Empty: nowhere.', { pattern: '^(https?://.+)?$', 'x-allowed': 'an http or https URL' }),
  WEBHOOK_SECRET: text('What those messages are signed with (Standard Webhooks), as whsec_ and base64; several, comma separated, while rotating. Needed with WEBHOOK_URL.'),

  IMAGE_PROCESSES: Type.Integer({ description: 'Processes that decode pictures, at most; 0: one for each core, and no more than 8.', default: 0, minimum: 0, maximum: 64 }),
  IMAGE_MEMORY_BYTES: count('Memory that the pictures decoded at one time may take, in bytes, with the processes that do it. A single one may take more.', 320 * 1024 ** 2, 1),
  MEMORY_CACHE_BYTES: count('Of files of up to 512 KiB, and of parts of larger ones of up to 64 KiB, kept in memory, in bytes: what is asked for again comes from there.', 64 * 1024 ** 2),
  CACHE_MAX_BYTES: count('Of resized pictures kept on the volume, in bytes; beyond it those not asked for longest are removed.', 2 * 1024 ** 3),

  SWEEP_INTERVAL_SECONDS: count('Time between two clean-ups of the volume.', 3600, 1),
  SWEEP_GRACE_SECONDS: count('How long a file without a record must have stood before it is removed.', 86_400),
  SWEEP_MAX_PERCENT: Type.Integer({ description: 'A clean-up that would remove more than this share of all files, and more than 100, removes nothing and logs an error. What is over TRASH_MAX_BYTES_PER_OWNER is counted for itself, and too much of it holds up only itself. 100: no such brake.', default: 5, minimum: 0, maximum: 100 }),
  TRASH_RETENTION_DAYS: count('How long deleted and replaced files are kept before they are removed for good.', 30),
  TRASH_MAX_BYTES_PER_OWNER: count('Of one owner\'s deleted and replaced files, in bytes; what is beyond it counts as kept, until the oldest are removed for good. 0: no limit.', 1024 ** 3),
  ERASURE_LEDGER: text('A second place, as a file outside of the volume, for the ledger of erasures: after a restore it says who has been erased since. Empty: on the volume alone.'),
  AUDIT_INTERVAL_SECONDS: count('Time between two checks of all records against the files, for the metrics. 0: none.', 86_400),
  AUDIT_MAX_BYTES_PER_DAY: count('Bytes of files that these checks may read and hash in a day; the rest is compared by size.', 50 * 1024 ** 3),
  READ_THROUGH_DIRS: text('Public folders of the older systems, comma separated: a path under /i/ or /uploads/ that is not imported yet is served from i/ or uploads/ below them.'),

  JWT_SECRET: text('HS256 secret, at least 32 bytes; several, comma separated, while rotating: the first signs, all verify.'),
  JWT_PUBLIC_KEY: text('Public key in PEM of the identity service (RS256, ES256 or EdDSA), \\n for line ends.'),
  JWT_PUBLIC_KEY_FILE: text('The same, from a file.'),
  JWT_JWKS_URL: text('The identity service\'s JWKS document; needs JWT_AUDIENCE.', { pattern: '^(https?://.+)?$', 'x-allowed': 'an http or https URL' }),
  JWT_ISSUER: text('Required "iss" of a token. Empty: not checked.'),
  JWT_AUDIENCE: text('Required "aud" of a token. Empty: not checked.'),
  JWT_USER_CLAIM: text('The claim that holds the user id.', { default: 'sub', minLength: 1 }),

  ACCOUNTS: Type.Enum(['embedded', 'off'], { description: 'embedded: register and log in here. off: tokens come from an identity service.', default: 'embedded' }),
  ACCOUNT_TOKEN_SECONDS: count('How long a log-in lasts.', 7 * 86_400, 60),

  COMPAT_ANONYMOUS_AVATARS: flag('Accept avatars without a token on POST /api/upload/avatar, kept for an hour unless a user claims them.'),

  SHUTDOWN_GRACE_SECONDS: count('How long a stop waits for uploads in flight.', 120),
  MAX_EVENT_LOOP_DELAY_MS: count('Answer 503 while the event loop lags by more than this. 0: never.', 1000),
})

/** The settings with their descriptions and defaults, for documentation. */
export const environmentSchema = Environment

type JwtKeys =
  | { readonly mode: 'secret', readonly secrets: readonly [string, ...string[]] }
  | { readonly mode: 'public-key', readonly pem: string }
  | { readonly mode: 'jwks', readonly url: string }
  | { readonly mode: 'generated' }

export type Config = ReturnType<typeof derive>

/**
 * Reads the settings from `env`, with defaults for what is absent or empty.
 * @throws ConfigError naming the setting and what to do.
 */
export function readConfig (env: Record<string, string | undefined>): Config {
  return derive(parse(env))
}

const withDefaults = new Ajv({ allErrors: true, removeAdditional: 'all', useDefaults: true, coerceTypes: true, strict: false, meta: false, validateSchema: false }).compile<Static<typeof Environment>>(Environment)

function parse (env: Record<string, string | undefined>): Static<typeof Environment> {
  const settings: unknown = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ''))
  if (withDefaults(settings)) return settings
  const reasons = (withDefaults.errors ?? []).map(reasonOf)
  throw new ConfigError(`A setting is not valid: ${reasons.join(', ')}. .env.example explains each.`)
}

function reasonOf (failure: SchemaFailure & { instancePath: string }): string {
  const name = failure.instancePath.slice(1) as keyof typeof Environment.properties
  return `${name} ${wordingOf({ ...failure, parentSchema: Environment.properties[name] })}`
}

function derive (env: Static<typeof Environment>) {
  const uploadsDir = resolve(env.UPLOADS_DIR)
  const keys = jwtKeys(env)
  return Object.freeze({
    host: env.HOST,
    port: env.PORT,
    publicUrl: publicUrl(env),
    trustProxy: trustProxy(env.TRUST_PROXY),
    corsOrigins: corsOrigins(env.CORS_ORIGINS),
    logLevel: env.LOG_LEVEL,
    uploadsDir,
    requireMount: env.REQUIRE_MOUNT,
    diskReserveBytes: env.DISK_RESERVE === '' ? undefined : Number(env.DISK_RESERVE),
    database: databaseAddress(env.DATABASE_URL, uploadsDir),
    databaseConnections: env.DATABASE_CONNECTIONS,
    // Of the embedded database; with PostgreSQL, where it would be.
    databaseFile: env.DATABASE_URL.startsWith('file:') ? resolve(env.DATABASE_URL.slice('file:'.length)) : join(uploadsDir, 'database', 'gateway.sqlite'),
    objectStore: objectStore(env),
    fallback: fallback(env, uploadsDir),
    isRedirecting: env.DELIVERY === 'redirect',
    isReadOnly: env.READ_ONLY,
    avatarMaxBytes: env.AVATAR_MAX_BYTES,
    attachmentMaxBytes: env.ATTACHMENT_MAX_BYTES,
    avatarKeepsMetadata: env.AVATAR_METADATA === 'keep',
    attachmentKeepsMetadata: env.ATTACHMENT_METADATA === 'keep',
    imageProcesses: env.IMAGE_PROCESSES === 0 ? undefined : env.IMAGE_PROCESSES,
    imageMemoryBytes: env.IMAGE_MEMORY_BYTES,
    memoryCacheBytes: env.MEMORY_CACHE_BYTES,
    cacheMaxBytes: env.CACHE_MAX_BYTES,
    uploadIdleMs: env.UPLOAD_IDLE_SECONDS * 1000,
    uploadMinBytesPerSecond: env.UPLOAD_MIN_BYTES_PER_SECOND,
    resumableExpiryMs: env.RESUMABLE_EXPIRY_SECONDS * 1000,
    resumableChunkBytes: env.RESUMABLE_CHUNK_BYTES,
    callerLimits: callerLimits(env),
    linkSecrets: linkSecrets(env.LINK_SECRET),
    mediaSessionSeconds: env.MEDIA_SESSION_SECONDS,
    clamdUrl: env.CLAMD_URL === '' ? undefined : env.CLAMD_URL,
    scanFailsOpen: env.SCAN_FAIL_OPEN,
    scanTimeoutMs: env.SCAN_TIMEOUT_SECONDS * 1000,
    webhook: webhook(env),
    sweepIntervalMs: env.SWEEP_INTERVAL_SECONDS * 1000,
    sweepGraceMs: env.SWEEP_GRACE_SECONDS * 1000,
    sweepMaxPercent: env.SWEEP_MAX_PERCENT,
    trashRetentionMs: env.TRASH_RETENTION_DAYS * 86_400_000,
    trashMaxBytesPerOwner: env.TRASH_MAX_BYTES_PER_OWNER,
    erasureLedger: erasureLedger(env.ERASURE_LEDGER, uploadsDir),
    auditIntervalMs: env.AUDIT_INTERVAL_SECONDS * 1000,
    auditMaxBytesPerDay: env.AUDIT_MAX_BYTES_PER_DAY,
    readThroughDirs: list(env.READ_THROUGH_DIRS).map((folder) => resolve(folder)),
    keys,
    jwtPublicKeyFile: env.JWT_PUBLIC_KEY_FILE === '' ? undefined : resolve(env.JWT_PUBLIC_KEY_FILE),
    jwtIssuer: env.JWT_ISSUER,
    jwtAudience: env.JWT_AUDIENCE,
    jwtUserClaim: env.JWT_USER_CLAIM,
    hasAccounts: env.ACCOUNTS === 'embedded',
    accountTokenSeconds: env.ACCOUNT_TOKEN_SECONDS,
    hasAnonymousAvatars: env.COMPAT_ANONYMOUS_AVATARS,
    shutdownGraceMs: env.SHUTDOWN_GRACE_SECONDS * 1000,
    maxEventLoopDelayMs: env.MAX_EVENT_LOOP_DELAY_MS,
  })
}

/** What named an address, for people: the setting, or an option of a command. Absent of what DATABASE_URL or STORAGE_URL names. */
type Named = { readonly setting?: string }

/** Where the records are. */
export type DatabaseAddress = Named & ({ readonly kind: 'sqlite', readonly file: string } | { readonly kind: 'postgresql', readonly url: string })

/** `value`: as DATABASE_URL, whatever `setting` it is of. @throws ConfigError when it is no URL */
export function databaseAddress (value: string, uploadsDir: string, setting?: string): DatabaseAddress {
  const named: Named = setting === undefined ? {} : { setting }
  if (value === '') return { ...named, kind: 'sqlite', file: join(uploadsDir, 'database', 'gateway.sqlite') }
  if (value.startsWith('file:')) return { ...named, kind: 'sqlite', file: resolve(value.slice('file:'.length)) }
  const name = setting ?? 'DATABASE_URL'
  // Its password is in it: it is not repeated.
  if (!URL.canParse(value)) throw new ConfigError(`${name} cannot be read. It must be of the form postgres://user:password@host:5432/name, with characters such as @ and / in the password percent-encoded.`)
  if (['', '/'].includes(new URL(value).pathname)) throw new ConfigError(`${name} names no database. It must be of the form postgres://user:password@host:5432/name.`)
  return { ...named, kind: 'postgresql', url: value }
}

/** Where the bytes are when they are not on the volume. `prefix` is empty or ends with a slash. */
export type ObjectStoreAddress = Named & { readonly kind: 's3' | 'azblob', readonly container: string, readonly prefix: string, readonly endpoint: string | undefined, readonly isPathStyle: boolean }

function objectStore (env: Static<typeof Environment>): ObjectStoreAddress | undefined {
  const address = objectStoreAddress(env.STORAGE_URL, env.STORAGE_ENDPOINT, env.STORAGE_PATH_STYLE)
  if (address === undefined && env.DELIVERY === 'redirect') throw new ConfigError('DELIVERY=redirect needs an object store to redirect to: set STORAGE_URL, or DELIVERY=stream.')
  return address
}

/** `value`: as STORAGE_URL; undefined for none. */
function objectStoreAddress (value: string, endpoint: string, isPathStyle: boolean): ObjectStoreAddress | undefined {
  const [, kind, container = '', path = ''] = /^(s3|azblob):\/\/([^/]+)\/?(.*)$/.exec(value) ?? []
  if (kind !== 's3' && kind !== 'azblob') return undefined
  const prefix = path.split('/').filter((part) => part !== '').join('/')
  return { kind, container, prefix: prefix === '' ? '' : `${prefix}/`, endpoint: endpoint === '' ? undefined : endpoint, isPathStyle }
}

/** Where uploads may be: on a volume of this machine, or in an object store. */
export type HomeAddress = { readonly kind: 'volume', readonly folder: string } | ObjectStoreAddress

/** `value`: as STORAGE_FALLBACK_URL; empty: UPLOADS_DIR. Undefined when it is none of these. */
export function homeAddress (value: string, endpoint: string, isPathStyle: boolean, uploadsDir: string): HomeAddress | undefined {
  if (value === '') return { kind: 'volume', folder: uploadsDir }
  if (/^file:./.test(value)) return { kind: 'volume', folder: resolve(value.slice('file:'.length)) }
  return objectStoreAddress(value, endpoint, isPathStyle)
}

function fallback (env: Static<typeof Environment>, uploadsDir: string): HomeAddress | undefined {
  if (env.STORAGE_FALLBACK_URL === '') return undefined
  const other = homeAddress(env.STORAGE_FALLBACK_URL, env.STORAGE_FALLBACK_ENDPOINT, env.STORAGE_FALLBACK_PATH_STYLE, uploadsDir)
  const own = homeAddress(env.STORAGE_URL, env.STORAGE_ENDPOINT, env.STORAGE_PATH_STYLE, uploadsDir)
  if (isDeepStrictEqual(own, other)) throw new ConfigError('STORAGE_FALLBACK_URL names the very home that the gateway writes to. It must name the other one of a move, or be empty when none is under way.')
  return other
}

const list = (value: string) => value.split(',').map((item) => item.trim()).filter((item) => item !== '')

/** What is on the volume is lost with the volume, and restored to an older state with it. */
function erasureLedger (value: string, uploadsDir: string): string | undefined {
  if (value === '') return undefined
  const path = resolve(value)
  const fromVolume = relative(uploadsDir, path)
  if (fromVolume !== '..' && !fromVolume.startsWith(`..${sep}`) && !isAbsolute(fromVolume)) throw new ConfigError(`ERASURE_LEDGER ${path} lies on the uploads volume, where the ledger is anyway: name a file on another disk, or leave it empty.`)
  return path
}

function publicUrl (env: Static<typeof Environment>): string {
  const url = env.PUBLIC_URL === '' ? `http://localhost:${env.PORT}` : env.PUBLIC_URL
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) throw new ConfigError(`PUBLIC_URL must be an http or https URL, not "${url}".`)
  const { origin, href } = new URL(url)
  if (href.replace(/\/+$/, '') !== origin) throw new ConfigError(`PUBLIC_URL must be an origin such as ${origin}, without a path, a query or a name, not "${url}".`)
  return origin
}

function corsOrigins (value: string): string[] {
  const origins = list(value)
  const wrong = origins.find((item) => item !== '*' && !isOrigin(item))
  if (wrong !== undefined) throw new ConfigError(`CORS_ORIGINS must be * or origins such as https://app.example, without a path or a slash at the end, not "${wrong}".`)
  return origins
}

/** As browsers spell it; `origin` itself is "null" for apps that are pages of a scheme of their own, such as capacitor://localhost. */
function isOrigin (text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, host } = new URL(text)
  return host !== '' && `${protocol}//${host}` === text
}

/** Whether what `address` says of the one before it is believed; `hop` counts from the connection itself, 0. */
export type TrustProxy = boolean | string[] | ((address: string, hop: number) => boolean)

function trustProxy (value: string): TrustProxy {
  if (value === '' || value === 'false') return false
  if (value === 'true') return true
  // Fastify takes a number too, but then believes no proxy at all.
  if (/^\d{1,3}$/.test(value)) return (_address, hop) => hop < Number(value)
  const proxies = list(value)
  const wrong = proxies.find((item) => !isProxy(item))
  if (wrong !== undefined || proxies.length === 0) {
    throw new ConfigError(`TRUST_PROXY must be a number of proxies, true, false, or addresses and networks such as 10.0.0.0/8, loopback, linklocal or uniquelocal, not "${wrong ?? value}".`)
  }
  return proxies
}

function isProxy (text: string): boolean {
  if (text === 'loopback' || text === 'linklocal' || text === 'uniquelocal') return true
  const [address = '', prefix = '0', ...more] = text.split('/')
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1
  return more.length === 0 && !address.includes('%') && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits
}

function jwtKeys (env: Static<typeof Environment>): JwtKeys {
  const pem = env.JWT_PUBLIC_KEY_FILE === '' ? env.JWT_PUBLIC_KEY.replaceAll('\\n', '\n') : readKeyFile(env.JWT_PUBLIC_KEY_FILE)
  const given = [env.JWT_SECRET, pem, env.JWT_JWKS_URL].filter((value) => value !== '')
  if (given.length > 1) throw new ConfigError('Set only one of JWT_SECRET, JWT_PUBLIC_KEY (or JWT_PUBLIC_KEY_FILE) and JWT_JWKS_URL: it decides which algorithms are accepted.')
  if (env.JWT_SECRET !== '') return { mode: 'secret', secrets: secrets(env.JWT_SECRET) }
  if (env.ACCOUNTS === 'off' && given.length === 0) throw new ConfigError('ACCOUNTS=off needs a key to check tokens with: set JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL.')
  if (given.length === 0) return { mode: 'generated' }
  if (env.ACCOUNTS === 'embedded') throw new ConfigError('Embedded accounts sign their own tokens and need JWT_SECRET; with a public key or JWKS set ACCOUNTS=off.')
  if (pem !== '') return { mode: 'public-key', pem }
  if (env.JWT_AUDIENCE === '') throw new ConfigError('JWT_JWKS_URL needs JWT_AUDIENCE, or a token made for any other service would be accepted here.')
  return { mode: 'jwks', url: env.JWT_JWKS_URL }
}

function secrets (value: string, name = 'JWT_SECRET'): readonly [string, ...string[]] {
  const [first, ...others] = list(value)
  if (first === undefined || [first, ...others].some((secret) => Buffer.byteLength(secret) < 32)) {
    throw new ConfigError(`Each ${name} must be at least 32 bytes; "openssl rand -base64 48" makes one.`)
  }
  return [first, ...others]
}

const linkSecrets = (value: string): readonly [string, ...string[]] | undefined => value === '' ? undefined : secrets(value, 'LINK_SECRET')

/** Of one caller; 0: no limit. */
export type CallerLimits = { readonly quotaBytes: number, readonly quotaFiles: number, readonly rateUploads: number, readonly rateBytes: number }

/** What holds for a caller with this id. */
function callerLimits (env: Static<typeof Environment>): (callerId: string) => CallerLimits {
  const usual: CallerLimits = { quotaBytes: env.QUOTA_BYTES, quotaFiles: env.QUOTA_FILES, rateUploads: env.RATE_UPLOADS_PER_MINUTE, rateBytes: env.RATE_BYTES_PER_MINUTE }
  const overrides = new Map(env.CALLER_OVERRIDES.split(';').map((one) => one.trim()).filter((one) => one !== '').map((one) => overrideIn(one, usual)))
  return (callerId) => overrides.get(callerId) ?? usual
}

function overrideIn (text: string, usual: CallerLimits): [string, CallerLimits] {
  const [id = '', ...pairs] = text.split(/\s+/)
  const limits = pairs.map((pair) => /^(quotaBytes|quotaFiles|rateUploads|rateBytes)=(\d{1,15})$/.exec(pair))
  if (limits.length === 0 || limits.includes(null)) throw new ConfigError(`CALLER_OVERRIDES must be of the form "id quotaBytes=0 rateUploads=6000", several separated by semicolons, not "${text}".`)
  return [id, { ...usual, ...Object.fromEntries(limits.map((match) => [match?.[1], Number(match?.[2])])) }]
}

function webhook ({ WEBHOOK_URL: url, WEBHOOK_SECRET: value }: Static<typeof Environment>): { readonly url: string, readonly secrets: readonly string[] } | undefined {
  if (url === '') return undefined
  if (!URL.canParse(url)) throw new ConfigError(`WEBHOOK_URL must be an http or https URL, not "${url}".`)
  const keys = list(value)
  if (keys.length === 0 || !keys.every((key) => /^whsec_[A-Za-z0-9+/]{32,}={0,2}$/.test(key))) {
    throw new ConfigError('WEBHOOK_URL needs a WEBHOOK_SECRET: whsec_ and at least 24 bytes in base64; "echo whsec_$(openssl rand -base64 32)" makes one.')
  }
  return { url, secrets: keys }
}

function readKeyFile (path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new ConfigError(`JWT_PUBLIC_KEY_FILE cannot be read: ${path}.`, { cause: error })
  }
}
