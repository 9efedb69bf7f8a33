import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { test } from 'tap'
import { ImagesBusy } from '../../src/errors.ts'
import type { BlobId } from '../../src/storage/ids.ts'
import { multipart } from '../helper.ts'
import { look, personal, pictureClient, tells } from '../fixtures/picture-client.ts'
import { plain, quarters } from '../images/made.ts'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const pixels = (picture: Buffer) => sharp(picture).raw().toBuffer()

const photo = () => quarters(80, 60)

/** A comment (GIF89a section 24) before the end of the file. */
const withComment = (gif: Buffer, text: string) => Buffer.concat([gif.subarray(0, -1), Buffer.from([0x21, 0xfe, text.length]), Buffer.from(text), Buffer.from([0, 0x3b])])

test('what a picture tells of somebody is taken out, and no pixel changes', async (t) => {
  const { app, put, show } = await pictureClient(t)
  const told = {
    'image/jpeg': await personal(photo().withIccProfile('p3').withMetadata({ orientation: 6 })).jpeg().toBuffer(),
    'image/png': await personal(photo()).png().toBuffer(),
    'image/webp': await personal(photo()).webp().toBuffer(),
    'image/avif': await personal(photo()).avif({ effort: 0 }).toBuffer(),
    'image/gif': withComment(await photo().gif().toBuffer(), 'by Ada Lovelace'),
  }
  for (const [contentType, sent] of Object.entries(told)) {
    t.not(tells(sent).length, 0, `${contentType} as it was sent`)
    const avatar = (await put(sent)).json()
    t.ok(avatar.metadataRemoved.includes(contentType === 'image/gif' ? 'comment' : 'location'), contentType)
    const stored = await show('/api/avatars/ada')
    t.match(avatar, { contentType, size: stored.rawPayload.length, sha256: sha256(stored.rawPayload) })
    t.match(stored.headers.etag, (await show(avatar.versionedUrl)).headers.etag)
    t.strictSame(tells(stored.rawPayload), [])
    t.ok((await pixels(stored.rawPayload)).equals(await pixels(sent)), 'the same pixels')
    t.match(await app.storage.store.readSidecar({ kind: 'avatar', id: avatar.version, extension: contentType.slice(6).replace('jpeg', 'jpg') }),
      { sha256: avatar.sha256, size: avatar.size, metadataRemoved: avatar.metadataRemoved, keepsMetadata: false, thumbhash: avatar.thumbhash })
    t.strictSame(tells((await show('/api/avatars/ada?size=64&format=jpeg')).rawPayload), [])
    const again = (await put(stored.rawPayload)).json()
    t.match(again, { sha256: avatar.sha256, metadataRemoved: { length: 0 } }, 'nothing is left to be taken out')
  }
  const { rawPayload } = (await put(told['image/jpeg']), await show('/api/avatars/ada'))
  t.match(await look(rawPayload), { hasProfile: true })
  t.equal((await sharp(rawPayload).metadata()).orientation, 6, 'it is still upright')
})

test('a photo from an iPhone loses what is personal, and nothing else', async (t) => {
  const { put, show } = await pictureClient(t)
  const sent = readFileSync(join(import.meta.dirname, '../fixtures/metadata.heic'))
  const avatar = (await put(sent)).json()
  t.match(avatar, { contentType: 'image/heic', size: sent.length })
  t.ok(avatar.metadataRemoved.includes('location'))
  const { rawPayload } = await show('/api/avatars/ada')
  t.equal(avatar.sha256, sha256(rawPayload))
  t.match([sent, rawPayload].map((bytes) => /secret|GPSLatitude/i.test(bytes.toString('latin1'))), [true, false])
  t.match(await look((await show('/api/avatars/ada?size=32&format=png')).rawPayload), { format: 'png' })
})

test('a picture that tells nothing is kept byte for byte', async (t) => {
  const { put, show } = await pictureClient(t)
  for (const format of ['jpeg', 'png', 'webp', 'gif', 'avif'] as const) {
    const sent = await photo().toFormat(format).toBuffer()
    t.match((await put(sent)).json(), { sha256: sha256(sent), metadataRemoved: { length: 0 } }, format)
    t.ok((await show('/api/avatars/ada')).rawPayload.equals(sent))
  }
})

test('who wants to keep the metadata says so in a field, in the query or in the settings', async (t) => {
  const sent = await personal(photo()).jpeg().toBuffer()
  const form = (metadata?: string) => multipart([...(metadata === undefined ? [] : [['metadata', metadata] as [string, string]]), ['avatar', { bytes: sent, filename: 'me.jpg' }]])
  for (const usually of ['remove', 'keep'] as const) {
    const { app, as, put, show, files } = await pictureClient(t, { AVATAR_METADATA: usually })
    const ada = await as('ada')
    const send = async (metadata?: string, query = '') => {
      const { payload, headers } = await form(metadata)
      return (await app.inject({ method: 'PUT', url: `/api/avatars/me${query}`, headers: { ...headers, ...ada }, payload })).json()
    }
    const isKept = async () => (await show('/api/avatars/ada')).rawPayload.equals(sent)
    const noted = (version: string) => app.storage.store.readSidecar({ kind: 'avatar', id: version as BlobId, extension: 'jpg' })
    for (const choice of ['keep', 'remove'] as const) {
      await put(sent, { query: `?metadata=${choice}` })
      t.equal(await isKept(), choice === 'keep', `${choice} in the query`)
      t.match(await send(choice), choice === 'keep' ? { metadataRemoved: { length: 0 }, sha256: sha256(sent) } : { metadataRemoved: ['location'] })
      t.equal(await isKept(), choice === 'keep', `${choice} in the form`)
      const { version } = await send(choice, `?metadata=${choice === 'keep' ? 'remove' : 'keep'}`)
      t.equal(await isKept(), choice === 'keep', 'the field counts for more than the query')
      t.match(await noted(version), { keepsMetadata: choice === 'keep' }, 'what was asked for is known later')
    }
    const { version } = await send()
    t.equal(await isKept(), usually === 'keep', `${usually} by the settings`)
    t.match(await noted(version), { keepsMetadata: false, metadataRemoved: usually === 'keep' ? null : ['location'] }, 'nobody asked: the sweep may look into it once the settings are others')
    const before = await files()
    t.match(await send('maybe'), { status: 400, code: 'UPLOAD_FIELD_INVALID', errors: [{ in: 'form', name: 'metadata', detail: 'must be one of keep, remove' }] })
    t.match((await put(sent, { query: '?metadata=maybe' })).json(), { status: 400, code: 'REQUEST_INVALID', errors: [{ in: 'query', name: 'metadata' }] })
    t.strictSame(await files(), before)
  }
})

test('a picture that cannot be shown, or judged, becomes nobody\'s, and leaves the one before it', async (t) => {
  const { app, put, show, files } = await pictureClient(t)
  const whole = await photo().png().toBuffer()
  await put(whole)
  const before = await files()
  const jpeg = await quarters(200, 200).jpeg().toBuffer()
  const noise = Buffer.concat([jpeg.subarray(0, 30), Buffer.alloc(500, 7)])
  const wide = await plain(10_001, 1).png().toBuffer()
  const many = await plain(7000, 6000).toColourspace('b-w').png().toBuffer()
  for (const [what, bytes, code] of [
    ['a cut JPEG', jpeg.subarray(0, jpeg.length * 0.7), 'IMAGE_INVALID'], ['a cut PNG', whole.subarray(0, whole.length - 40), 'IMAGE_INVALID'], ['noise', noise, 'IMAGE_INVALID'],
    ['a wide one', wide, 'IMAGE_TOO_LARGE'], ['42 megapixels', many, 'IMAGE_TOO_LARGE'],
  ] as const) {
    for (const query of ['', '?metadata=keep']) t.match((await put(bytes, { query })).json(), { status: 422, code }, what)
  }
  t.match((await put(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'))).json(), { status: 415, code: 'UPLOAD_TYPE_REJECTED' })

  const { intake } = app.images
  const take = intake.take
  intake.take = async () => { throw new ImagesBusy() }
  const busy = await put(whole)
  t.match([busy.json(), busy.headers['retry-after']], [{ status: 503, code: 'IMAGES_BUSY' }, /^\d+$/])
  intake.take = take

  t.strictSame(await files(), before)
  t.ok((await show('/api/avatars/ada')).rawPayload.equals(whole))
  t.equal(await app.database.client.blob.count(), 1)
})
