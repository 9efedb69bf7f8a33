import { readFileSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Validator } from '@seriousme/openapi-schema-validator'
import { test } from 'tap'
import { buildApp } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import { errorTable } from '../src/errors.ts'
import { build, multipart, picture, temporaryFolder } from './helper.ts'

const openapi = async (t: Parameters<typeof build>[0]) => (await build(t)).app.inject({ url: '/openapi.json' }).then((answer) => answer.json())
const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

test('every route is described, and README names every one of them', async (t) => {
  const { paths } = await openapi(t)
  const described = Object.entries<Record<string, { summary?: string }>>(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, { summary }]) => ({ method: method.toUpperCase(), path, summary })))
  for (const { method, path, summary } of described) {
    t.type(summary, 'string', `${method} ${path} says what it does`)
    t.ok(readme.includes(path.replaceAll(/\{([A-Za-z]+)\}/g, ':$1').replace('/:path', '/…')), `README names ${path}`)
  }
})

test('the description is valid OpenAPI 3.1', async (t) => {
  t.match(await new Validator().validate(await openapi(t)), { valid: true, errors: undefined })
})

test('who writes a client of the resumable uploads finds all of it described', async (t) => {
  const { paths: { '/api/resumable': begin, '/api/resumable/{id}': one } } = await openapi(t)
  t.strictSame(Object.keys(one).sort(), ['delete', 'get', 'head', 'options', 'patch', 'post'])
  t.match(begin.post.description, 'Location')
  t.match(one.head, { operationId: 'headResumableById', responses: { 200: { headers: { 'Upload-Offset': Object, 'Upload-Length': Object } } } })
  t.match(one.post.parameters.map(({ name }: { name: string }) => name), ['id', 'x-http-method-override'])
  for (const [operation, status] of [[begin.post, 201], [one.patch, 204], [one.post, 204]]) {
    t.match(operation.responses, { [status]: { headers: { RateLimit: Object, 'RateLimit-Policy': Object } }, 429: { headers: { 'Retry-After': Object, RateLimit: Object } } })
  }
})

test('README lists every code with its status', (t) => {
  for (const { code, status } of errorTable) t.match(readme, new RegExp(`\\| \`${code}\` \\| ${status} \\|`), code)
  t.end()
})

test('the health checks ask volume and database', async (t) => {
  const { app } = await build(t)
  t.match((await app.inject({ url: '/health/ready' })).json(), { status: 'ready', checks: { volume: 'ok', database: 'ok' } })
})

test('who opens the bare address is led to the description', async (t) => {
  const { app } = await build(t)
  t.match(await app.inject({ url: '/' }), { statusCode: 302, headers: { location: '/docs' } })
})

test('limits are numbers that clients can use', async (t) => {
  const { app } = await build(t, { AVATAR_MAX_BYTES: '1000', ATTACHMENT_MAX_BYTES: '2000' })
  t.match((await app.inject({ url: '/api/limits' })).json(), { avatar: { maxBytes: 1000, maxPixels: 40_000_000, maxSide: 10_000, types: ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/avif'] }, attachment: { maxBytes: 2000, maxFiles: 10, types: null } })
})

test('metrics count uploads, refusals and space', async (t) => {
  const { app, as } = await build(t)
  const headers = { 'content-type': 'image/png', ...await as('ada') }
  await app.inject({ method: 'PUT', url: '/api/avatars/me', headers, payload: await picture('png') })
  await app.inject({ method: 'PUT', url: '/api/avatars/me', headers, payload: 'no picture' })
  const { body } = await app.inject({ url: '/metrics' })
  for (const line of ['uploads_total{kind="avatar",outcome="kept"} 1', 'uploads_total{kind="avatar",outcome="refused"} 1', 'refusals_total{code="UPLOAD_TYPE_REJECTED"} 1', 'uploads_staging_files 0']) t.ok(body.includes(line), line)
  t.match(body, /^uploads_free_bytes \d+/m)
})

test('a wrong method is 405 with Allow, an unknown address 404', async (t) => {
  const { app, as } = await build(t)
  t.match(await app.inject({ method: 'POST', url: '/api/avatars/me', headers: await as('ada') }), { statusCode: 405, headers: { allow: /PUT/ } })
  t.match(await app.inject({ method: 'PUT', url: '/api/attachments' }), { statusCode: 405, headers: { allow: /POST/ } })
  t.match((await app.inject({ url: '/api/nothing' })).json(), { status: 404, code: 'ROUTE_NOT_FOUND' })
})

test('the sweep removes what nobody claimed after an hour, and what was deleted long enough ago', async (t) => {
  let at = new Date()
  const settings = { COMPAT_ANONYMOUS_AVATARS: 'true', TRASH_RETENTION_DAYS: '30', SWEEP_INTERVAL_SECONDS: '1' }
  const { app, as, files } = await build(t, settings, { now: () => at })
  const body = await multipart([['file', { bytes: await picture('png'), filename: 'x.png' }]])
  const { data } = (await app.inject({ method: 'POST', url: '/api/upload/avatar', headers: body.headers, payload: body.payload })).json()
  const ada = await as('ada')
  const { attachments: [deleted, kept] } = (await app.inject({ method: 'POST', url: '/api/attachments', headers: { ...ada, ...(await two()).headers }, payload: (await two()).payload })).json()
  await app.inject({ method: 'DELETE', url: `/api/attachments/${deleted.id}`, headers: ada })

  const blobs = async () => (await files()).filter((path) => /^(avatars|attachments)/.test(path)).length
  t.equal(await blobs(), 6)
  at = new Date(at.getTime() + 3_700_000)
  await until(async () => await blobs() === 4)
  t.equal((await app.inject({ url: data.path })).statusCode, 404)
  at = new Date(at.getTime() + 31 * 86_400_000)
  await until(async () => await blobs() === 2)
  t.equal((await app.inject({ url: kept.url, headers: ada })).statusCode, 200)
  t.equal(await app.database.client.blob.count(), 1)
})

let twoFiles: ReturnType<typeof multipart> | undefined
async function two () {
  twoFiles ??= multipart([['a', { bytes: 'one', filename: 'a.txt' }], ['b', { bytes: 'two', filename: 'b.txt' }]])
  return twoFiles
}

async function until (isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (await isSo()) return
    await new Promise((resolve) => { setTimeout(resolve, 100) })
  }
  throw new Error('it did not come about within 10 s')
}

test('a start that is refused leaves nothing open', async (t) => {
  const folder = await temporaryFolder(t)
  const settings = { UPLOADS_DIR: folder, LOG_LEVEL: 'silent' }
  await (await buildApp(readConfig(settings))).close()
  await rm(join(folder, 'database'), { recursive: true })
  await mkdir(join(folder, 'avatars', '2026'), { recursive: true })
  await writeFile(join(folder, 'avatars', '2026', 'x'), '')
  await t.rejects(buildApp(readConfig(settings)), { name: 'ConfigError', message: /holds uploads, but the database is new/ })
})

test('the page of the API fills no form with texts made from patterns', async (t) => {
  const { paths } = await openapi(t)
  const { parameters, requestBody } = paths['/api/attachments'].post
  const properties = requestBody.content['multipart/form-data'].schema.properties
  for (const name of ['ownerId', 'contextType', 'contextId']) {
    t.equal(properties[name].example, '', `${name} of the form`)
    t.equal(parameters.find((parameter: { name: string }) => parameter.name === name).schema.example, '', `${name} of the query`)
  }
  t.equal(paths['/api/attachments'].get.parameters.find(({ name }: { name: string }) => name === 'limit').required, false)
})

test('failures of the older upload are described in the shape its clients know', async (t) => {
  const { paths } = await openapi(t)
  const { responses } = paths['/api/upload/avatar'].post
  for (const status of ['401', '413', 'default']) {
    t.strictSame(Object.keys(responses[status].content), ['application/json'], status)
    t.strictSame(Object.keys(responses[status].content['application/json'].schema.properties), ['success', 'error', 'code'])
  }
})
