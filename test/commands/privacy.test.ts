import { test } from 'tap'
import { photo, plainPhoto, telltale, unseenPhoto } from '../operations/fixtures/old-pictures.ts'
import { usedGateway } from '../operations/fixtures/used-gateway.ts'
import { keep } from '../records/fixtures/database.ts'
import { newRecordId } from '../../src/storage/ids.ts'
import type { Sidecar } from '../../src/storage/sidecar.ts'
import { publish } from '../storage/fixtures/volume.ts'
import { commandLine } from './fixtures/command-line.ts'

test('a dry run is what one gets; --run does it beside the gateway, whose old addresses answer with what is left', async (t) => {
  const { app, folder, as } = await usedGateway(t)
  const { client } = app.database
  const put = async (bytes: Buffer, others: Partial<Sidecar>) => {
    const sidecar = await publish(app.storage.store, bytes, { ...unseenPhoto, ...others })
    await keep(client, sidecar)
    return sidecar
  }
  const attached = { kind: 'attachment', filename: 'a.jpg', visibility: 'private' } as const
  const face = await put(await photo(), { aliases: ['/i/p/a.jpg'] })
  await client.avatar.create({ data: { userId: 'ada', blobId: face.id } })
  const picture = await put(await photo(1), { ...attached, recordId: newRecordId() })
  await put(await plainPhoto(), { ...attached, recordId: newRecordId() })
  const broken = await put(Buffer.from([0xff, 0xd8, 0xff, 0xe1, 0xff, 0xff, 0]), { ...attached, recordId: newRecordId(), ownerId: 'bob', creatorId: 'bob' })
  await put(await photo(2), { ...attached, recordId: newRecordId(), creatorId: 'billing' })
  await put(await photo(3), { ...attached, recordId: newRecordId(), keepsMetadata: true })
  const urls = ['/api/avatars/ada', `/api/avatars/ada/${face.id}`, '/i/p/a.jpg', `/api/attachments/${picture.recordId}/content`]
  const shown = async () => {
    const headers = await as('ada')
    return Promise.all(urls.map(async (url) => (await app.inject({ url, headers })).rawPayload))
  }
  const before = await shown()
  t.strictSame(before.map((bytes) => bytes.includes(telltale)), [true, true, true, true])

  const privacy = (...args: string[]) => commandLine(folder, ['privacy', 'sweep', ...args])
  const dry = privacy()
  t.match(dry, { status: 3, stderr: '' })
  t.match(dry.stdout, /looked at +4 [^]*nothing personal in them +1 [^]*to take it out of +2 [^]*left as they are +1\b[^]*What is in them: location \(2\), exif \(2\)\.[^]*Not looked at: 1 uploaded with metadata=keep\.\nNot looked at: 1 that services attached; --services takes them in\.[^]*nothing was written\. Add --run/)
  t.match(dry.stdout, new RegExp(`${broken.recordId} {2}attachment of bob: what is personal in it cannot be told`))
  t.same(await shown(), before)

  const done = JSON.parse(privacy('--run', '--json').stdout)
  t.match(done, { isDryRun: false, lookedAt: { files: 4 }, clean: { files: 1 }, stripped: { files: 2 }, left: [{ id: broken.recordId, code: 'metadata-unreadable' }], kept: { asked: 1, services: 1, kinds: { length: 0 } } })
  const after = await shown()
  t.strictSame(after.map((bytes) => [bytes.includes(telltale), bytes.length > 100]), urls.map(() => [false, true]))
  t.match((await app.inject({ url: `/api/attachments/${picture.recordId}`, headers: await as('ada') })).json(), { id: picture.recordId, metadataRemoved: ['location', 'exif'], width: 24 })
  t.match(commandLine(folder, ['verify']), { status: 0, stdout: /Clean/ })

  t.match(privacy('--services', '--kind', 'attachment', '--owner', 'ada', '--run'), { status: 0, stdout: /taken out of +1 [^]*Done\. Backups made before hold the old files still\./ })
  t.match(commandLine(folder, ['privacy', 'sweep', '--kind', 'avatar'], { settings: { AVATAR_METADATA: 'keep', ATTACHMENT_METADATA: 'keep' } }), { status: 0, stdout: /Not looked at: avatars, as AVATAR_METADATA=keep says\./ })
})

test('help says what stays, and what backups hold; what is not valid is refused', async (t) => {
  const { folder } = await usedGateway(t)
  t.match(commandLine(folder, ['privacy', 'sweep', '--help']), { status: 0, stdout: /Backups that were made before hold the old files still/ })
  t.match(commandLine(folder, ['privacy', 'sweep', '--owner', 'me']), { status: 1, stderr: /^--owner must be/ })
  t.match(commandLine(folder, ['privacy', 'sweep', '--kind', 'both']), { status: 2, stderr: /avatar, attachment/ })
})
