import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { HTTPMethods } from 'fastify'
import { test, type Test } from 'tap'
import { databaseAddress } from '../../src/config.ts'
import type { Database } from '../../src/records/database.ts'
import { viewDatabase } from '../../src/records/viewing.ts'
import { madeDatabaseUrl, onSqliteOnly } from '../fixtures/database-server.ts'
import { filesBelow } from '../fixtures/files.ts'
import { build, multipart, picture, temporaryFolder, type Gateway } from '../helper.ts'
import { clientOf, connect } from '../resumable/fixture.ts'

const refused = { statusCode: 503, headers: { 'retry-after': '30', 'content-type': 'application/problem+json' } }

/** A volume that a gateway has used, which is stopped, and one that only reads it; `before`: what the first one did last. */
async function setUp (t: Test, before: (gateway: Gateway) => unknown = () => {}, settings: Record<string, string> = {}) {
  const folder = await temporaryFolder(t)
  const writing = await build(t, { UPLOADS_DIR: folder, ...settings })
  await before(writing)
  await writing.app.close()
  return build(t, { UPLOADS_DIR: folder, ...settings, READ_ONLY: 'true' })
}

/** Every file of the volume but what is in flight, what may be made again, and SQLite's own, with its hash. */
async function filesOf (folder: string): Promise<string[]> {
  const paths = (await filesBelow(folder)).filter((path) => !/^(staging|cache)\/|\.sqlite/.test(path))
  return Promise.all(paths.map(async (path) => `${path} ${createHash('sha256').update(await readFile(join(folder, path))).digest('hex')}`))
}

async function rowsIn ({ client }: Pick<Database, 'client'>): Promise<unknown[]> {
  return Promise.all([
    client.account.findMany(), client.answer.findMany(), client.attachment.findMany(), client.avatar.findMany(), client.blob.findMany(), client.event.findMany(),
    client.link.findMany(), client.owner.findMany(), client.resumable.findMany(), client.segment.findMany(), client.setting.findMany(), client.tombstone.findMany(),
  ])
}

test('every route that changes something refuses to, before it asks who calls, and says when to come back', async (t) => {
  const { app } = await setUp(t)
  const { paths } = (await app.inject('/openapi.json')).json() as { paths: Record<string, Record<string, { responses: Record<string, { description: string }> }>> }
  const changing = Object.entries(paths).flatMap(([path, operations]) => Object.entries(operations).filter(([method]) => ['post', 'put', 'patch', 'delete'].includes(method)).map(([method, operation]) => ({ path, method: method.toUpperCase() as HTTPMethods, operation })))
  const exceptions = ['POST /api/auth/login', 'POST /api/media-session', 'DELETE /api/media-session']
  t.ok(changing.length > 25)
  for (const { path, method, operation } of changing) {
    const isException = exceptions.includes(`${method} ${path}`)
    t.equal(/READ_ONLY/.test(operation.responses['503']?.description ?? ''), !isException, `${method} ${path} is described so`)
    const answer = await app.inject({ method, url: path.replaceAll(/\{\w+\}/g, 'x'), headers: { 'content-type': 'application/json' }, payload: '{}' })
    if (isException) t.not(answer.statusCode, 503, `${method} ${path}`)
    else t.match(answer, { statusCode: 503, headers: { 'retry-after': '30' } }, `${method} ${path}`)
    if (!isException) t.equal(answer.json().code, 'READ_ONLY', `${method} ${path}`)
  }
  t.match(await app.inject({ method: 'POST', url: '/nowhere' }), { statusCode: 404 })
  t.match(await app.inject({ method: 'DELETE', url: '/api/limits' }), { statusCode: 405 })
})

test('clients of older systems are told in the words that they know', async (t) => {
  const { app, as } = await setUp(t)
  const form = await multipart([['file', { bytes: await picture(), filename: 'a.jpg' }]])
  const m = await app.inject({ method: 'POST', url: '/api/upload/avatar', ...form, headers: { ...form.headers, ...await as('ada') } })
  t.match(m, { statusCode: 503, headers: { 'retry-after': '30' } })
  t.match(m.json(), { success: false, code: 'READ_ONLY', error: /takes no changes for now/ })
  const r = await app.inject({ method: 'PUT', url: '/api/auth/avatar', ...form, headers: { ...form.headers, ...await as('ada') } })
  t.match(r, refused)
  t.match(r.json(), { code: 'READ_ONLY', status: 503, requestId: String })
})

test('nobody is asked for a body that would be thrown away', async (t) => {
  const gateway = await setUp(t)
  const { socket, answer } = await connect(gateway)
  const { authorization } = await gateway.as('ada')
  socket.write(`POST /api/attachments HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Type: text/plain\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n`)
  const text = await answer
  t.match(text, /^HTTP\/1\.1 503 /)
  t.notMatch(text, /100 Continue/)
  t.match(text, /"code":"READ_ONLY"/)
})

test('what there is, is served as ever, and nothing of volume and database changes', async (t) => {
  const paths: string[] = []
  const account = { email: 'ada@example.com', password: 'correct horse battery', displayName: 'Ada' }
  const gateway = await setUp(t, async ({ app, as }) => {
    const jpeg = { 'content-type': 'image/jpeg' }
    await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...await as('ada'), ...jpeg }, payload: await picture() })
    await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...await as('ada'), ...jpeg }, payload: await picture('jpeg', { seed: 9 }) })
    const { attachments: [photo] } = (await app.inject({ method: 'POST', url: '/api/attachments', headers: { ...await as('ada'), ...jpeg }, payload: await picture('jpeg', { width: 900 }) })).json()
    const link = (await app.inject({ method: 'POST', url: `/api/attachments/${photo.id}/links`, headers: await as('ada'), payload: {} })).json()
    await app.inject({ method: 'POST', url: '/api/auth/register', payload: account })
    paths.push('/api/avatars/ada', '/api/avatars/ada?size=64&format=webp', '/api/avatars/nobody?fallback=initials&name=Nobody', '/api/avatars/me/versions',
      '/api/attachments', `/api/attachments/${photo.id}`, photo.url, `/api/attachments/${photo.id}/preview?size=320`, `/api/attachments/${photo.id}/links`, new URL(link.url).pathname,
      '/api/users/me/export', '/api/usage', '/api/limits', '/api/auth/avatar/ada', '/api/auth/profile', '/health/live', '/health/ready', '/metrics', '/openapi.json')
  })
  const { app, as, folder } = gateway
  const before = [await filesOf(folder), await rowsIn(gateway.app.database)]
  for (const url of paths) {
    if (url === '/api/auth/profile') continue
    t.match(await app.inject({ url, headers: await as('ada') }), { statusCode: 200 }, url)
    if (url !== '/api/users/me/export') t.match(await app.inject({ method: 'HEAD', url, headers: await as('ada') }), { statusCode: 200 }, `HEAD ${url}`)
  }
  const login = await app.inject({ method: 'POST', url: '/api/auth/login', payload: account })
  t.match(login, { statusCode: 200 })
  t.match(await app.inject({ url: '/api/auth/profile', headers: { authorization: `Bearer ${login.json().token}` } }), { statusCode: 200 })
  const session = await app.inject({ method: 'POST', url: '/api/media-session', headers: await as('ada') })
  t.match(session, { statusCode: 200, headers: { 'set-cookie': /upload_gateway_media=/ } })
  t.match(await app.inject({ url: paths.find((path) => path.endsWith('/content')) ?? '', headers: { cookie: String(session.headers['set-cookie']).replace(/;.*/, '') } }), { statusCode: 200 })
  t.match(await app.inject({ method: 'OPTIONS', url: '/api/resumable' }), { statusCode: 204, headers: { 'tus-version': '1.0.0' } })
  t.strictSame([await filesOf(folder), await rowsIn(gateway.app.database)], before)
  t.ok((await filesBelow(join(folder, 'cache'))).length > 1, 'pictures in other sizes are kept, as ever')
})

test('a resumable upload tells where it stands, also to who can only send POST, and goes on when changes are taken again', async (t) => {
  let url = ''
  const gateway = await setUp(t, async (writing) => {
    const ada = await clientOf(writing, 'ada')
    url = await ada.begin(10)
    await ada.send(url, 0, 'hello')
  })
  const ada = await clientOf(gateway, 'ada')
  const before = await gateway.app.database.client.resumable.findMany()
  t.match(await ada.head(url), { statusCode: 200, headers: { 'upload-offset': '5' } })
  t.match(await ada.ask('POST', url, { 'x-http-method-override': 'HEAD' }), { statusCode: 200, headers: { 'upload-offset': '5' } })
  t.match((await ada.look(url)).json(), { state: 'receiving', offset: 5 })
  t.match(await ada.send(url, 5, 'world'), { statusCode: 503 })
  t.match(await ada.ask('POST', url, { 'x-http-method-override': 'PATCH' }), { statusCode: 503 })
  t.match(await ada.end(url), { statusCode: 503 })
  t.strictSame(await gateway.app.database.client.resumable.findMany(), before)
  await gateway.app.close()

  const again = await clientOf(await build(t, { UPLOADS_DIR: gateway.folder }), 'ada')
  t.match(await again.send(url, 5, 'world'), { statusCode: 204, headers: { 'upload-offset': '10' } })
})

test('limits say so, and are not kept for long', async (t) => {
  const { app } = await setUp(t)
  const answer = await app.inject('/api/limits')
  t.match(answer.json(), { readOnly: true })
  t.equal(answer.headers['cache-control'], 'no-cache')
})

test('the start makes nothing: no volume, no key, no database', { skip: onSqliteOnly }, async (t) => {
  const folder = await temporaryFolder(t)
  await t.rejects(build(t, { UPLOADS_DIR: folder, READ_ONLY: 'true' }), { name: 'ConfigError', message: /no uploads volume, and READ_ONLY=true makes none/ })
  t.strictSame(await readdir(folder), [])

  const { app } = await build(t, { UPLOADS_DIR: folder })
  await app.close()
  await rename(join(folder, 'database/link.secret'), join(folder, 'elsewhere'))
  await t.rejects(build(t, { UPLOADS_DIR: folder, READ_ONLY: 'true' }), { name: 'ConfigError', message: /There is no .*link\.secret yet, and READ_ONLY=true makes none/ })
  await rename(join(folder, 'elsewhere'), join(folder, 'database/link.secret'))
  for (const name of await readdir(join(folder, 'database'))) if (name.includes('.sqlite')) await rm(join(folder, 'database', name))
  await t.rejects(build(t, { UPLOADS_DIR: folder, READ_ONLY: 'true' }), { name: 'ConfigError', message: /gateway\.sqlite cannot be used/ })
  t.notOk((await readdir(join(folder, 'database'))).includes('gateway.sqlite'))
})

test('a database of an older version is not migrated: the start is refused', async (t) => {
  const folder = await temporaryFolder(t)
  const { app } = await build(t, { UPLOADS_DIR: folder })
  const [last] = await app.database.client.$queryRaw<Array<{ migration_name: string }>>`SELECT "migration_name" FROM "_prisma_migrations" ORDER BY "migration_name" DESC LIMIT 1`
  await app.database.client.$executeRaw`DELETE FROM "_prisma_migrations" WHERE "migration_name" = ${last?.migration_name}`
  await app.close()
  await t.rejects(build(t, { UPLOADS_DIR: folder, READ_ONLY: 'true' }), { name: 'ConfigError', message: new RegExp(`${last?.migration_name} is still to be applied, and who only reads changes nothing.*without READ_ONLY=true`) })
})

test('what is due is left as it is: the staging of a dead process, a sidecar that lags behind, an event to be told, a webhook that is gone', async (t) => {
  const folder = await temporaryFolder(t)
  const writing = await build(t, { UPLOADS_DIR: folder, WEBHOOK_URL: 'http://127.0.0.1:1/', WEBHOOK_SECRET: `whsec_${Buffer.alloc(32).toString('base64')}` })
  await writing.app.inject({ method: 'POST', url: '/api/attachments', headers: { ...await writing.as('ada'), 'content-type': 'text/plain' }, payload: 'hello' })
  await writing.app.database.client.blob.updateMany({ data: { revision: 2, sidecarDueAt: new Date(0) } })
  await writing.app.close()
  // Not before its end, up to which it tries to tell the event.
  const database = await viewDatabase(databaseAddress(madeDatabaseUrl(folder), folder))
  const before = [await filesOf(folder), await rowsIn(database)]
  await database.close()
  const dead = join(folder, 'staging', randomUUID())
  await mkdir(dead, { recursive: true })
  const gone = { pid: 2 ** 22 - 1, world: '', startedAt: '', beat: 0 }
  await writeFile(join(dead, 'heartbeat.json'), JSON.stringify(gone))

  const reading = await build(t, { UPLOADS_DIR: folder, READ_ONLY: 'true' })
  t.strictSame([await filesOf(folder), await rowsIn(reading.app.database)], before)
  t.ok((await readdir(join(folder, 'staging'))).includes(dead.slice(-36)))
})
