import { test } from 'tap'
import { OwnerErased } from '../../src/errors.ts'
import { blobPath } from '../../src/storage/volume/layout.ts'
import { multipart, picture } from '../helper.ts'
import { createFaults } from '../fixtures/faults.ts'
import { put as putFile } from '../fixtures/home-files.ts'
import { look, pictureClient, type PictureClient } from '../fixtures/picture-client.ts'
import { colourAt, isNear, quarters } from '../images/made.ts'

const parts = { red: '0,0,0.5,0.5', green: '0.5,0,0.5,0.5', blue: '0,0.5,0.5,0.5', white: '0.5,0.5,0.5,0.5' }
const colours = { red: [220, 40, 40], green: [40, 180, 60], blue: [50, 70, 210], white: [240, 240, 240] }

async function setUp (gateway: PictureClient) {
  const { app, as, show } = gateway
  const ada = await as('ada')
  return {
    ...gateway,
    recrop: async (crop: unknown, headers: Record<string, string> = ada) => app.inject({ method: 'PATCH', url: '/api/avatars/me', headers, payload: { crop } as never }),
    /** Whether all that is shown is of one colour. */
    shows: async (url: string, colour: keyof typeof colours) => {
      const { rawPayload } = await show(`${url}?size=64&format=png`)
      const seen = await Promise.all([0.02, 0.5, 0.98].map((place) => colourAt(rawPayload, place, place)))
      return seen.every((one) => isNear(one, colours[colour], 12))
    },
  }
}

test('a part of the picture can be named when it is sent, in the upright picture, and square sizes show it', async (t) => {
  const { app, as, put, shows, show } = await setUp(await pictureClient(t))
  const photo = await quarters(400, 300).jpeg({ quality: 95 }).toBuffer()
  for (const [colour, crop] of Object.entries(parts)) {
    t.match((await put(photo, { query: `?crop=${crop}` })).json(), { crop, width: 400, height: 300 })
    t.ok(await shows('/api/avatars/ada', colour as keyof typeof parts), colour)
  }
  const form = await multipart([['crop', '0.5, 0.5, .5, 5e-1'], ['avatar', { bytes: photo, filename: 'me.jpg' }]])
  const set = await app.inject({ method: 'PUT', url: '/api/avatars/me?crop=0,0,1,1', headers: { ...form.headers, ...await as('ada') }, payload: form.payload })
  t.match(set.json(), { crop: parts.white }, 'the field counts for more than the query')
  t.ok(await shows('/api/avatars/ada', 'white'))
  t.match(await look((await show('/api/avatars/ada?size=1024&format=webp')).rawPayload), { width: 150, height: 150 }, 'not larger than the part')
  t.ok((await show('/api/avatars/ada')).rawPayload.equals(photo), 'the stored bytes are the whole picture')

  await put(await quarters(400, 300).withMetadata({ orientation: 3 }).jpeg({ quality: 95 }).toBuffer(), { query: `?crop=${parts.red}` })
  t.ok(await shows('/api/avatars/ada', 'white'), 'what lies on its head')
  t.match((await put(photo)).json(), { crop: null }, 'of a new picture the gateway chooses, unless it is said')
})

test('another part of the picture is a new version, and the old address shows the old part', async (t) => {
  const { app, put, recrop, shows, show, as, files } = await setUp(await pictureClient(t))
  const first = (await put(await quarters(400, 300).jpeg({ quality: 95 }).toBuffer(), { query: `?crop=${parts.red}` })).json()
  const answer = await recrop(parts.blue)
  t.equal(answer.statusCode, 200)
  const second = answer.json()
  const { version, versionedUrl, crop, updatedAt, ...same } = first
  t.match(second, { ...same, crop: parts.blue })
  t.not(second.version, version)
  t.ok(second.updatedAt > updatedAt)
  t.same([await shows('/api/avatars/ada', 'blue'), await shows(second.versionedUrl, 'blue'), await shows(versionedUrl, 'red')], [true, true, true])
  t.ok((await show(versionedUrl)).rawPayload.equals((await show('/api/avatars/ada')).rawPayload))
  const { store } = app.storage
  t.match(await store.readSidecar({ kind: 'avatar', id: second.version, extension: 'jpg' }), { crop: parts.blue, creatorId: 'ada', thumbhash: first.thumbhash, metadataRemoved: { length: 0 }, state: 'live' })
  t.match(await store.readSidecar({ kind: 'avatar', id: version, extension: 'jpg' }), { crop: parts.red, state: 'superseded' })

  t.match((await recrop(parts.green, { ...await as('chat', 'uploads:service'), 'x-owner-id': 'ada' })).json(), { crop: parts.green, userId: 'ada' })
  t.match((await recrop(null)).json(), { crop: null })
  t.match((await show('/api/avatars/me/versions', undefined, await as('ada'))).json().versions.map(({ crop }: { crop: string | null }) => crop), [null, parts.green, parts.blue, parts.red])
  await app.inject({ method: 'POST', url: `/api/avatars/me/versions/${version}/restore`, headers: await as('ada') })
  t.ok(await shows('/api/avatars/ada', 'red'), 'which can be gone back to')
  t.equal((await files()).filter((path) => path.endsWith('.jpg')).length, 4)
})

test('what is no part of the picture, or has no picture, is refused', async (t) => {
  const { put, recrop, as, app, files } = await setUp(await pictureClient(t))
  t.match((await recrop(parts.red)).json(), { status: 404, code: 'AVATAR_NOT_FOUND' })
  const photo = await picture()
  await put(photo)
  const before = await files()
  for (const crop of ['0,0,1.1,1', '0.5,0.5,0.6,0.5', '0,0,0,1', '-0.1,0,1,1']) {
    t.match((await recrop(crop)).json(), { status: 422, code: 'CROP_INVALID' }, crop)
    t.match((await put(photo, { query: `?crop=${crop}` })).json(), { status: 422, code: 'CROP_INVALID' })
  }
  for (const crop of ['all of it', '0,0,1', '0,0,1,1,1', 'NaN,0,1,1', 5, {}]) t.match((await recrop(crop)).json(), { status: 400, code: 'REQUEST_INVALID' }, String(crop))
  t.match((await put(photo, { query: '?crop=all' })).json(), { status: 400, code: 'REQUEST_INVALID', errors: [{ in: 'query', name: 'crop', detail: 'must be x,y,width,height as fractions of the upright picture' }] })
  const form = await multipart([['crop', 'all'], ['avatar', { bytes: photo, filename: 'me.jpg' }]])
  t.match((await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...form.headers, ...await as('ada') }, payload: form.payload })).json(),
    { status: 400, code: 'UPLOAD_FIELD_INVALID', errors: [{ in: 'form', name: 'crop', detail: 'must be x,y,width,height as fractions of the upright picture' }] })
  const patch = async (payload: object, headers: Record<string, string>) => (await app.inject({ method: 'PATCH', url: '/api/avatars/me', headers, payload })).json()
  t.match(await patch({}, await as('ada')), { code: 'REQUEST_INVALID' })
  t.match(await patch({ crop: null, metadata: 'keep' }, await as('ada')), { code: 'REQUEST_INVALID', detail: /is not known; known are crop/ })
  t.match(await recrop(parts.red, {}), { statusCode: 401 })
  t.match((await recrop(parts.red, { ...await as('bob'), 'x-owner-id': 'ada' })).json(), { status: 403, code: 'OWNER_FORBIDDEN' })
  t.strictSame(await files(), before)
})

test('whoever replaces or removes the picture meanwhile comes first, and nothing of the part is left', async (t) => {
  const { app, as, put, recrop, show, files } = await setUp(await pictureClient(t))
  const { store } = app.storage
  const publish = store.publish
  /** Does it between the publishing of the part and its commit. */
  const meanwhile = (work: () => Promise<unknown>) => {
    store.publish = async (...args) => {
      store.publish = publish
      await publish(...args)
      await work()
    }
  }
  const newer = await picture('png', { seed: 2 })
  for (const [what, change] of [
    ['replaced', () => put(newer)],
    ['removed', async () => app.inject({ method: 'DELETE', url: '/api/avatars/me', headers: await as('ada') })],
  ] as const) {
    await put(await picture('png', { seed: 1 }))
    const before = (await files()).filter((path) => path.endsWith('.png')).length
    meanwhile(change)
    t.match((await recrop(parts.red)).json(), { status: 409, code: 'PICTURE_REPLACED' }, what)
    t.equal((await files()).filter((path) => path.endsWith('.png')).length, before + (what === 'replaced' ? 1 : 0))
    t.equal((await files()).filter((path) => path.startsWith('staging/') && !path.endsWith('heartbeat.json')).length, 0)
    if (what === 'replaced') t.ok((await show('/api/avatars/ada')).rawPayload.equals(newer))
    else t.equal((await show('/api/avatars/ada')).statusCode, 404)
  }
  await put(newer)
  const statuses = (await Promise.all(Object.values(parts).map((crop) => recrop(crop)))).map(({ statusCode }) => statusCode).sort()
  t.equal(statuses[0], 200)
  t.ok(statuses.slice(1).every((status) => status === 200 || status === 409), 'of many at once one is first')
  const rows = await app.database.client.blob.count()
  t.equal((await files()).filter((path) => path.endsWith('.png')).length, rows, 'every file has its record')
})

test('a copy that cannot be made, or is not what was stored, changes nothing', async (t) => {
  const { app, folder, put, recrop, files } = await setUp(await pictureClient(t))
  const { version } = (await put(await picture('png'))).json()
  const before = await files()
  const { store } = app.storage
  const publish = store.publish
  store.publish = async () => { throw new OwnerErased() }
  t.match((await recrop(parts.red)).json(), { status: 410, code: 'OWNER_ERASED' })
  store.publish = publish
  const read = store.read
  store.read = async (...args) => {
    const stream = await read(...args)
    return stream.destroy(Object.assign(new Error('injected'), { code: 'EIO' }))
  }
  t.match((await recrop(parts.red)).json(), { status: 503, code: 'STORAGE_UNAVAILABLE' })
  store.read = read
  const path = blobPath(folder, { kind: 'avatar', id: version, extension: 'png' })
  await putFile(app.home.fs, path, Buffer.concat([await app.home.fs.readFile(path), Buffer.from('rot')]))
  t.match((await recrop(parts.red)).json(), { status: 503, code: 'STORAGE_UNAVAILABLE' })
  t.strictSame(await files(), before)
  t.match(await app.database.client.blob.findMany(), [{ id: version, state: 'live', crop: null }])
})

test('what is copied while its user is being erased is of the erased user', async (t) => {
  const faults = createFaults()
  const { app, as, put, recrop, show, files } = await setUp(await pictureClient(t, {}, { fs: faults.fs }))
  await put(await picture('png'))
  const begun = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  faults.inject({ on: 'sync', path: /erasures\.ndjson$/, before: () => { begun.resolve(); return goOn.promise } })
  const erasure = as('root', 'uploads:admin').then((headers) => app.inject({ method: 'DELETE', url: '/api/users/ada/uploads', headers }))
  await begun.promise
  const refused = await recrop(parts.red)
  goOn.resolve()
  t.equal((await erasure).statusCode, 200)
  t.match(refused.json(), { status: 410, code: 'OWNER_ERASED' })
  t.equal((await show('/api/avatars/ada')).statusCode, 404)
  t.strictSame((await files()).filter((path) => path.endsWith('.png')), [])
  t.equal(await app.database.client.blob.count(), 0)
  await put(await picture('png'))
  t.match((await recrop(parts.red)).json(), { crop: parts.red }, 'what comes afterwards is new')
})

test('a part counts as an upload of the whole picture, in bytes too', async (t) => {
  let seconds = 1000
  const photo = await picture('png')
  const { put, recrop, as, files } = await setUp(await pictureClient(t, { RATE_UPLOADS_PER_MINUTE: '4', RATE_BYTES_PER_MINUTE: String(photo.length * 2 + 50), CALLER_OVERRIDES: 'chat rateBytes=0' }, { monotonicMs: () => seconds * 1000 }))
  await put(photo)
  const second = await recrop(parts.red)
  t.match(second, { statusCode: 200, headers: { ratelimit: '"uploads";r=2;t=60, "bytes";r=50;t=60' } })
  const before = await files()
  const third = await recrop(parts.blue)
  t.match(third.json(), { status: 429, code: 'RATE_EXCEEDED', detail: /bytes per minute/ })
  t.match(third.headers, { 'retry-after': '60', ratelimit: /^"uploads";r=1;/ })
  t.strictSame(await files(), before, 'nothing of it was kept')

  const chat = { ...await as('chat', 'uploads:service'), 'x-owner-id': 'ada' }
  for (let nth = 0; nth < 4; nth += 1) t.equal((await recrop(parts.blue, chat)).statusCode, 200)
  t.match((await recrop(parts.blue, chat)).json(), { status: 429, code: 'RATE_EXCEEDED', detail: /4 uploads per minute/ })
  seconds += 60
  t.equal((await recrop(parts.blue)).statusCode, 200)
})

test('who crops a picture again and again fills the disk no further than quota and trash', async (t) => {
  const photo = await picture('png')
  const limit = photo.length * 3
  const { app, as, put, recrop, files } = await setUp(await pictureClient(t, { QUOTA_BYTES: String(limit), TRASH_MAX_BYTES_PER_OWNER: String(limit) }))
  const usage = async () => (await app.inject({ url: '/api/usage', headers: await as('ada') })).json()
  const kept = async () => (await files()).filter((path) => path.endsWith('.png')).length
  await put(photo)
  for (let nth = 1; nth < 6; nth += 1) t.equal((await recrop(parts.red)).statusCode, 200)
  t.match((await recrop(parts.red)).json(), { status: 413, code: 'QUOTA_EXCEEDED', detail: /of the trash are over its limit/ })
  t.match(await usage(), { bytes: photo.length, trashBytes: photo.length * 5, reservedBytes: 0, reservedFiles: 0 })
  t.equal(await kept(), 6)

  // As if another process had room for it when it asked.
  const { quota } = app
  const { reserve } = quota
  let givenBack = 0
  quota.reserve = async () => () => { givenBack += 1 }
  t.match((await recrop(parts.red)).json(), { code: 'QUOTA_EXCEEDED' }, 'what is committed is measured')
  quota.reserve = reserve
  t.equal(givenBack, 1)
  t.equal(await kept(), 6, 'nothing of it is left')
})

test('a part has no room on a full disk, and takes no more of it than the copy', async (t) => {
  const photo = await picture('png')
  let bavail = photo.length * 10
  const { put, recrop, files } = await setUp(await pictureClient(t, {}, { fs: { ...createFaults().fs, statfs: (async () => ({ bavail, blocks: 1_000_000, bsize: 1, files: 0, ffree: 0 })) as never } }))
  await put(photo)
  const before = await files()
  bavail = photo.length - 1
  t.match((await recrop(parts.red)).json(), { status: 507, code: 'STORAGE_FULL' })
  t.strictSame(await files(), before)
  bavail = photo.length
  for (let nth = 0; nth < 3; nth += 1) t.equal((await recrop(parts.red)).statusCode, 200, 'what was set aside is given back')
})
