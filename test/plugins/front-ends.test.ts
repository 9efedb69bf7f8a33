// What was ready for somebody, and is not theirs to see any more: whoever ended it, and however.
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createServer, type OutgoingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import sharp from 'sharp'
import type { Test } from 'tap'
import { mediaCookie } from '../../src/plugins/route-description.ts'
import { asking, attached, test } from '../fixtures/asking.ts'
import { personal, tells } from '../fixtures/picture-client.ts'
import { picture } from '../helper.ts'
import { command } from '../system/command.ts'

type Client = Awaited<ReturnType<typeof asking>>
type Address = readonly [path: string, headers?: OutgoingHttpHeaders]

const large = Buffer.alloc(700_000, 'of ada ')

/** Asks until each is ready. */
async function warm (t: Test, { ask }: Pick<Client, 'ask'>, addresses: readonly Address[]): Promise<void> {
  for (const [path, headers] of addresses) {
    await ask(path, headers)
    const { status, wasReady } = await ask(path, headers)
    t.match({ status, wasReady }, { status: headers?.['range'] === undefined ? 200 : 206, wasReady: true }, `${path} ${JSON.stringify(headers)}`)
  }
}

async function refused (t: Test, { ask }: Pick<Client, 'ask'>, addresses: readonly Address[], status = 404): Promise<void> {
  for (const [path, headers] of addresses) {
    for (const method of ['GET', 'HEAD']) t.match(await ask(path, { ...headers, 'if-none-match': '*' }, method), { status, wasReady: false }, `${method} ${path} ${JSON.stringify(headers)}`)
    t.match(await ask(path, headers), { status, wasReady: false })
  }
}

/** All that can be seen of ada's: two pictures, files of which bob may read one, and variants. */
async function everything (client: Client) {
  const { put, change, as } = client
  const first = (await put(await picture('png', { seed: 1 }))).json()
  const second = (await put(await picture('png', { seed: 2 }))).json()
  const open = await attached(client, await picture('png', { width: 400, height: 300 }), 'public')
  const own = await attached(client, Buffer.from('a secret'))
  const big = await attached(client, large)
  await change('PATCH', `/api/attachments/${own.id}`, { readers: ['bob'] })
  const [ada, bob] = [await as('ada'), await as('bob')]
  const avatars: Address[] = [['/api/avatars/ada'], ['/api/avatars/ada?size=64&format=webp'], [first.versionedUrl], [second.versionedUrl]]
  const files: Address[] = [[open.url], [`/api/attachments/${open.id}/preview?size=320`, { accept: 'image/webp' }], [own.url, ada], [big.url, { ...ada, range: 'bytes=5-9' }]]
  const asReader: Address[] = [[own.url, bob]]
  return { first, second, open, own, big, avatars, files, asReader }
}

test('whose owner, or reader, is erased', async (t) => {
  const client = await asking(t)
  const { app, as } = client
  const { avatars, files, asReader } = await everything(client)
  await warm(t, client, [...avatars, ...files, ...asReader])
  const erase = async (user: string) => t.equal((await app.inject({ method: 'DELETE', url: `/api/users/${user}/uploads`, headers: await as('root', 'uploads:admin') })).statusCode, 200)
  await erase('bob')
  await refused(t, client, asReader)
  await warm(t, client, [...avatars, ...files])
  await erase('ada')
  await refused(t, client, [...avatars, ...files])
})

test('what a command beside the gateway erases', async (t) => {
  const client = await asking(t)
  const { avatars, files, asReader } = await everything(client)
  await warm(t, client, [...avatars, ...files, ...asReader])
  const { code, stderr } = await command(client.folder, ['erase', '--owner', 'ada', '--yes', '--receipt', join(client.folder, 'receipt.jws')])
  t.equal(code, 0, stderr)
  await refused(t, client, [...avatars, ...files, ...asReader])
})

test('what a command beside the gateway takes out of a picture', async (t) => {
  const client = await asking(t, { AVATAR_METADATA: 'keep', ATTACHMENT_METADATA: 'keep' })
  const bytes = await personal(sharp(await picture('jpeg', { width: 300, height: 200 }))).jpeg().toBuffer()
  const { versionedUrl } = (await client.put(bytes)).json()
  const file = await attached(client, bytes, 'public')
  const addresses: Address[] = [['/api/avatars/ada'], [versionedUrl], [file.url]]
  await warm(t, client, addresses)
  t.ok(tells((await client.ask(file.url)).body).length > 0, 'it tells of somebody')
  const { code, stderr, stdout } = await command(client.folder, ['privacy', 'sweep', '--run'])
  t.equal(code, 0, stderr + stdout)
  for (const [path] of addresses) t.strictSame(tells((await client.ask(path)).body), [], path)
})

test('what its user removes, and shows again', async (t) => {
  const client = await asking(t)
  const { ask, change } = client
  const { first, second, avatars } = await everything(client)
  await warm(t, client, avatars)
  await change('DELETE', '/api/avatars/me')
  await refused(t, client, avatars)
  await change('POST', `/api/avatars/me/versions/${second.version}/restore`)
  await warm(t, client, [['/api/avatars/ada'], [second.versionedUrl]])
  t.strictSame((await ask('/api/avatars/ada')).body, await picture('png', { seed: 2 }))
  await change('POST', `/api/avatars/me/versions/${first.version}/restore`)
  t.strictSame((await ask('/api/avatars/ada')).body, await picture('png', { seed: 1 }))
})

test('what is deleted, comes back, and is deleted again', async (t) => {
  const client = await asking(t)
  const { change, app, as } = client
  const { own, files, asReader } = await everything(client)
  for (const times of [1, 2]) {
    await warm(t, client, [...files, ...asReader])
    await change('DELETE', `/api/attachments/${own.id}`)
    await refused(t, client, [[own.url, await as('ada')], ...asReader])
    t.equal((await app.inject({ method: 'POST', url: `/api/attachments/${own.id}/restore`, headers: await as('root', 'uploads:admin') })).statusCode, 200, `${times}`)
  }
})

test('what a link opens, until it is revoked or its time has passed', async (t) => {
  let at = Date.now()
  const client = await asking(t, { PUBLIC_URL: 'http://gateway.example' }, { now: () => new Date(at) })
  const { ask, change } = client
  const { own } = await everything(client)
  const link = async () => JSON.parse(await change('POST', `/api/attachments/${own.id}/links`, { expiresIn: 60 })) as { id: string, url: string }
  const [one, two] = [await link(), await link()]
  const open = ({ url }: { url: string }) => ask(new URL(url).pathname)
  for (const each of [one, two, one, two, one, two]) t.match(await open(each), { status: 200, body: Buffer.from('a secret') })
  await change('DELETE', `/api/attachments/${own.id}/links/${one.id}`)
  t.match(await open(one), { status: 404 })
  t.match(await open(two), { status: 200 })
  at += 60_001
  t.match(await open(two), { status: 404 })
})

test('what a gateway that only reads shows, as soon as another has changed it', async (t) => {
  const client = await asking(t)
  const { change } = client
  const { own, avatars, files, asReader } = await everything(client)
  const reading = await asking(t, { UPLOADS_DIR: client.folder, READ_ONLY: 'true' })
  await warm(t, reading, [...avatars, ...files, ...asReader])
  await change('PATCH', `/api/attachments/${own.id}`, { readers: [] })
  await refused(t, reading, asReader)
  await warm(t, reading, files)
  await change('DELETE', '/api/avatars/me')
  await refused(t, reading, avatars)
})

test('who logs out, or has another password, by token and by media session', async (t) => {
  const client = await asking(t, { ACCOUNTS: 'embedded' })
  const { app } = client
  const register = async (email: string) => {
    const { token } = (await app.inject({ method: 'POST', url: '/api/auth/register', payload: { email, password: 'a long password' } })).json()
    const own = { authorization: `Bearer ${token}` }
    const session = await app.inject({ method: 'POST', url: '/api/media-session', headers: own })
    const cookie = String(session.headers['set-cookie']).split(';')[0] ?? ''
    t.match(cookie, mediaCookie)
    const file = (await app.inject({ method: 'POST', url: '/api/attachments', headers: { ...own, 'content-type': 'application/octet-stream' }, payload: 'hello' })).json().attachments[0]
    await warm(t, client, [[file.url, own], [file.url, { cookie }]])
    return { own, cookie, file }
  }
  const [eve, zoe] = [await register('eve@x.org'), await register('zoe@x.org')]
  t.equal((await app.inject({ method: 'POST', url: '/api/auth/logout', headers: eve.own })).statusCode < 300, true)
  await refused(t, client, [[eve.file.url, eve.own]], 401)
  await refused(t, client, [[eve.file.url, { cookie: eve.cookie }]])
  await warm(t, client, [[zoe.file.url, zoe.own], [zoe.file.url, { cookie: zoe.cookie }]])
  // Of another, and with nothing in the field that says who it is.
  await refused(t, client, [[zoe.file.url, { cookie: eve.cookie }], [zoe.file.url, { authorization: '', cookie: zoe.cookie }], [eve.file.url, { cookie: zoe.cookie }]])
  await refused(t, client, [[zoe.file.url, { ...eve.own, cookie: zoe.cookie }]], 401)
})

test('who was let in with a key that is withdrawn', async (t) => {
  const keyOf = (kid: string) => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    return { kid, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid } }
  }
  const [one, two] = [keyOf('one'), keyOf('two')]
  let keys = [one, two]
  const issuer = createServer((_request, response) => response.end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })))
  await new Promise<void>((resolve) => { issuer.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => new Promise((resolve) => { issuer.close(resolve); issuer.closeAllConnections() }))
  const tokenOf = async ({ kid, privateKey }: { kid: string, privateKey: KeyObject }) => ({ authorization: `Bearer ${await new SignJWT({ sub: 'ada' }).setProtectedHeader({ alg: 'RS256', kid }).setAudience('uploads').setExpirationTime('2h').sign(privateKey)}` })
  const client = await asking(t, { ACCOUNTS: 'off', JWT_SECRET: '', JWT_JWKS_URL: `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/`, JWT_AUDIENCE: 'uploads' })
  const [withOne, withTwo] = [await tokenOf(one), await tokenOf(two)]
  const { url } = (await client.app.inject({ method: 'POST', url: '/api/attachments', headers: { ...withOne, 'content-type': 'application/octet-stream' }, payload: 'hello' })).json().attachments[0]
  await warm(t, client, [[url, withOne], [url, withTwo]])
  keys = [two]
  const { now } = Date
  t.teardown(() => { Date.now = now })
  Date.now = () => now() + 601_000
  t.match(await client.ask(url, withTwo), { status: 200, wasReady: false })
  await refused(t, client, [[url, withOne]], 401)
  await warm(t, client, [[url, withTwo]])
})
