import { existsSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { silent } from '../../src/operations/progress.ts'
import { purgeTrash } from '../../src/operations/purge-trash.ts'
import { rebuild } from '../../src/operations/rebuild/rebuild.ts'
import { atWork } from '../../src/operations/workplace.ts'
import { onSqliteOnly } from '../fixtures/database-server.ts'
import { build } from '../helper.ts'
import { configOf } from '../operations/import/fixtures/import.ts'
import { personal, pictureClient, type PictureClient } from '../fixtures/picture-client.ts'
import { quarters } from '../images/made.ts'

const photo = (side = 80) => personal(quarters(side, 60)).jpeg().toBuffer()

/** What is kept of blobs in the cache: their ids. */
async function cached ({ folder }: Pick<PictureClient, 'folder'>): Promise<string[]> {
  const shards = await readdir(join(folder, 'cache'), { withFileTypes: true })
  const ids = await Promise.all(shards.filter((shard) => shard.isDirectory()).map(({ name }) => readdir(join(folder, 'cache', name))))
  return ids.flat().sort()
}

/** Once what is written in the background is there. */
async function cachedOnce (client: PictureClient, count: number): Promise<string[]> {
  while ((await cached(client)).length < count) await new Promise((resolve) => setTimeout(resolve, 5))
  return cached(client)
}

/** An avatar of ada's that was cropped, one of bob's, and a picture that ada attached; all of them were shown. */
async function used (client: PictureClient) {
  const first = (await client.put(await photo())).json()
  const { app, as } = client
  const second = (await app.inject({ method: 'PATCH', url: '/api/avatars/me', headers: await as('ada'), payload: { crop: '0,0,0.5,0.5' } })).json()
  await client.put(await photo(), { user: 'bob', query: '?metadata=keep' })
  const [attached] = (await client.attach(await photo(90), { query: '?visibility=public' })).json().attachments
  const urls = [`${first.versionedUrl}?size=32`, `${second.versionedUrl}?size=32`, '/api/avatars/bob?size=32', `/api/attachments/${attached.id}/preview?size=320`].map((url) => `${url}&format=webp`)
  for (const url of urls) await client.show(url)
  return { first, second, attached, urls }
}

const described = async ({ app, as }: Pick<PictureClient, 'app' | 'as'>) => [
  (await app.inject({ url: '/api/avatars/me/versions', headers: await as('ada') })).json(),
  (await app.inject({ url: '/api/avatars/me/versions', headers: await as('bob') })).json(),
  (await app.inject({ url: '/api/attachments', headers: await as('ada') })).json(),
]

const etags = async ({ app }: Pick<PictureClient, 'app'>, urls: readonly string[]) => Promise.all(urls.map(async (url) => (await app.inject(url)).headers.etag))

test('all that is known of pictures is there after a restart, and after a rebuild from the volume alone', { skip: onSqliteOnly }, async (t) => {
  const before = await pictureClient(t)
  const { urls } = await used(before)
  const [known, tags] = [await described(before), await etags(before, urls)]
  t.match(known[0].versions, [{ crop: '0,0,0.5,0.5', metadataRemoved: ['location'], thumbhash: /.{20}/ }, { crop: null, metadataRemoved: ['location'] }])
  t.match(known[1].versions, [{ crop: null, metadataRemoved: { length: 0 }, thumbhash: /.{20}/ }])
  await before.app.close()

  const again = await build(t, { UPLOADS_DIR: before.folder })
  again.app.images.variants.get = async () => { throw new Error('nothing is asked for') }
  t.strictSame(await described(again), known)
  await again.app.close()

  await rm(join(before.folder, 'database', 'gateway.sqlite'))
  await rm(join(before.folder, 'cache'), { recursive: true })
  await rebuild(configOf(before.folder), silent)
  const rebuilt = await build(t, { UPLOADS_DIR: before.folder })
  t.strictSame(await described(rebuilt), known)
  t.strictSame(await etags(rebuilt, urls), tags, 'and the same is made of them')
  const rows = await rebuilt.app.database.client.blob.findMany({ orderBy: { createdAt: 'asc' }, select: { keepsMetadata: true, metadataRemoved: true } })
  t.strictSame(rows.map(({ keepsMetadata }) => keepsMetadata), [false, false, true, false])
  t.equal(rows[2]?.metadataRemoved, null)
})

test('of a user who is erased no variant is left either, in the cache or on its way there', async (t) => {
  const client = await pictureClient(t)
  const { first, second, urls } = await used(client)
  const all = await cachedOnce(client, 4)
  t.ok(all.includes(first.version) && all.includes(second.version))
  const { app, as, show } = client
  const bob = (await app.database.client.blob.findFirstOrThrow({ where: { ownerId: 'bob' } })).id
  const underWay = Promise.all([64, 96, 128].map((size) => show(`/api/avatars/ada?size=${size}&format=png`)))
  t.equal((await app.inject({ method: 'DELETE', url: '/api/users/ada/uploads', headers: await as('root', 'uploads:admin') })).statusCode, 200)
  for (const { statusCode } of await underWay) t.ok([200, 404, 503].includes(statusCode), String(statusCode))
  for (const url of urls) t.equal((await show(url)).statusCode, url.includes('bob') ? 200 : 404, url)
  await app.close()
  t.strictSame(await cached(client), [bob])
})

test('what is purged from the trash leaves the cache with it', { skip: onSqliteOnly }, async (t) => {
  const client = await pictureClient(t)
  const { first, second, urls } = await used(client)
  await cachedOnce(client, 4)
  t.match(await atWork(configOf(client.folder), { work: 'test' }, (place) => purgeTrash(place, { ids: [first.version] }, { confirm: async () => true, progress: silent })), { purged: 1 })
  const left = await cached(client)
  t.equal(left.length, 3)
  t.ok(left.includes(second.version) && !left.includes(first.version))
  t.strictSame(await Promise.all(urls.map(async (url) => (await client.show(url)).statusCode)), [404, 200, 200, 200])
})

test('whoever removes the cache while pictures are shown makes nothing worse than slow', async (t) => {
  const client = await pictureClient(t)
  const { urls } = await used(client)
  await cachedOnce(client, 4)
  const tags = await etags(client, urls)
  await rm(join(client.folder, 'cache'), { recursive: true })
  t.strictSame(await etags(client, urls), tags)
  await client.app.close()
  await rm(join(client.folder, 'cache'), { recursive: true, force: true })
  const again = await build(t, { UPLOADS_DIR: client.folder })
  t.strictSame(await etags(again, urls), tags)
  while (!existsSync(join(client.folder, 'cache', 'CACHEDIR.TAG'))) await new Promise((resolve) => setTimeout(resolve, 5))
})
