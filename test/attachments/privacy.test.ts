import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { test } from 'tap'
import { ImagesBusy } from '../../src/errors.ts'
import { multipart, type Gateway } from '../helper.ts'
import { personal, pictureClient, tells } from '../fixtures/picture-client.ts'
import { plain, quarters } from '../images/made.ts'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const photo = () => personal(quarters(80, 60))

async function post ({ app }: Gateway, headers: Record<string, string>, parts: Parameters<typeof multipart>[0]) {
  const body = await multipart(parts)
  return (await app.inject({ method: 'POST', url: '/api/attachments', headers: { ...body.headers, ...headers }, payload: body.payload })).json()
}

const part = (bytes: Buffer) => ['file', { bytes, filename: 'photo' }] as [string, { bytes: Buffer, filename: string }]

test('what pictures tell of somebody is taken out of those that users attach, and no pixel changes', async (t) => {
  const { app, as, attach, show } = await pictureClient(t)
  const ada = await as('ada')
  for (const format of ['jpeg', 'png', 'webp', 'avif'] as const) {
    const sent = await photo().toFormat(format).toBuffer()
    t.not(tells(sent).length, 0)
    const [kept] = (await attach(sent)).json().attachments
    t.ok(kept.metadataRemoved.includes('location'), format)
    const { rawPayload, headers } = await show(kept.url, undefined, ada)
    t.match(kept, { size: rawPayload.length, sha256: sha256(rawPayload), width: 80, height: 60 })
    t.equal(Number(headers['content-length']), kept.size)
    t.strictSame(tells(rawPayload), [])
    t.ok((await sharp(rawPayload).raw().toBuffer()).equals(await sharp(sent).raw().toBuffer()))
    t.strictSame((await show(`/api/attachments/${kept.id}`, undefined, ada)).json(), kept)
  }
  const plainly = await quarters(80, 60).jpeg().toBuffer()
  t.match((await attach(plainly)).json().attachments, [{ sha256: sha256(plainly), metadataRemoved: { length: 0 } }], 'what tells nothing is kept byte for byte')
  const text = Buffer.from('Ada Lovelace')
  t.match((await attach(text, { query: '?metadata=remove' })).json().attachments, [{ sha256: sha256(text), metadataRemoved: { length: 0 }, thumbhash: null }], 'other files are as they were sent')
  t.equal(await app.database.client.blob.count({ where: { metadataRemoved: null } }), 1)
})

test('HEIF pictures of any brand are pictures, sequences too', async (t) => {
  const { as, attach, show } = await pictureClient(t)
  const ada = await as('ada')
  const heic = await readFile(join(import.meta.dirname, '../fixtures/metadata.heic'))
  t.ok(heic.includes('Secretdoe'))
  for (const brand of ['msf1', 'hevc', 'hevx', 'heim', 'heis', 'miaf', 'isom']) {
    const sent = Buffer.from(heic)
    sent.write(brand, 8)
    const [kept] = (await attach(sent)).json().attachments
    t.match(kept, { contentType: 'image/heic', width: 64, height: 48, thumbhash: String, metadataRemoved: ['location', 'exif', 'xmp', 'thumbnail'] }, brand)
    t.notOk((await show(kept.url, undefined, ada)).rawPayload.includes('Secretdoe'))
  }
})

test('users say whether they want to keep it, file by file; services hand over what they have', async (t) => {
  const sent = await photo().jpeg().toBuffer()
  for (const usually of ['remove', 'keep'] as const) {
    const gateway = await pictureClient(t, { ATTACHMENT_METADATA: usually })
    const { as, attach } = gateway
    const isKept = ({ sha256: stored, metadataRemoved }: { sha256: string, metadataRemoved: string[] }) => {
      t.equal(metadataRemoved.length === 0, stored === sha256(sent))
      return stored === sha256(sent)
    }
    const kept = async (query: string, scopes: Array<'uploads:service' | 'uploads:admin'> = []) => isKept((await attach(sent, { query, scopes })).json().attachments[0])
    t.equal(await kept(''), usually === 'keep', `${usually} by the settings`)
    t.same([await kept('?metadata=keep'), await kept('?metadata=remove')], [true, false])
    t.same([await kept('', ['uploads:service']), await kept('?metadata=remove', ['uploads:service'])], [true, false], 'services')
    t.equal(await kept('', ['uploads:admin']), usually === 'keep', 'an admin is a user like others')
    const asked = await gateway.app.database.client.blob.findMany({ orderBy: { id: 'asc' }, select: { keepsMetadata: true } })
    t.same(asked.map(({ keepsMetadata }) => keepsMetadata), [false, true, false, false, false, false], 'only what an uploader asked for is held to later')
    const { attachments } = await post(gateway, await as('ada'), [['metadata', 'keep'], part(sent), ['metadata', 'remove'], part(sent), part(sent)])
    t.same(attachments.map(isKept), [true, false, false])
    t.match(await post(gateway, await as('ada'), [['metadata', 'all'], part(sent)]), { status: 400, code: 'UPLOAD_FIELD_INVALID', errors: [{ in: 'form', name: 'metadata' }] })
  }
})

test('a picture that cannot be decoded is kept, without what is personal; one whose parts cannot be told is refused', async (t) => {
  const { as, attach, files, show } = await pictureClient(t)
  const large = await personal(plain(7000, 6000)).toColourspace('b-w').png().toBuffer()
  const [kept] = (await attach(large)).json().attachments
  t.match(kept, { width: 7000, height: 6000, thumbhash: null })
  t.ok(kept.metadataRemoved.includes('location'), '42 megapixels')
  t.strictSame(tells((await show(kept.url, undefined, await as('ada'))).rawPayload), [])

  const before = await files()
  const jpeg = await photo().jpeg().toBuffer()
  const cut = jpeg.subarray(0, 300)
  t.match((await attach(cut)).json(), { status: 422, code: 'METADATA_UNREADABLE' })
  t.strictSame(await files(), before)
  t.match((await attach(cut, { query: '?metadata=keep' })).json().attachments, [{ sha256: sha256(cut), metadataRemoved: { length: 0 }, thumbhash: null }], 'but as it is')
})

test('when one file of a request cannot be taken in, nothing of the others is left', async (t) => {
  const gateway = await pictureClient(t)
  const { app, as, files } = gateway
  const ada = await as('ada')
  const before = await files()
  const good = await photo().jpeg().toBuffer()
  t.match(await post(gateway, ada, [part(good), part(good.subarray(0, 300)), part(Buffer.from('text'))]), { status: 422, code: 'METADATA_UNREADABLE' })
  t.strictSame(await files(), before)

  const { intake } = app.images
  const take = intake.take
  let calls = 0
  intake.take = async (...args) => {
    calls += 1
    if (calls === 3) throw new ImagesBusy()
    return take(...args)
  }
  t.match(await post(gateway, ada, [part(good), part(good), part(good)]), { status: 503, code: 'IMAGES_BUSY' })
  t.strictSame(await files(), before)
  const { store } = app.storage
  const publish = store.publish
  store.publish = async (staged, sidecar) => {
    if (sidecar.filename === 'b') throw new ImagesBusy()
    return publish(staged, sidecar)
  }
  t.match(await post(gateway, ada, [part(good), ['file', { bytes: good, filename: 'b' }]]), { status: 503 })
  t.strictSame(await files(), before)
  t.equal(await app.database.client.blob.count(), 0)
})
