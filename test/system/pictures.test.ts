// Nobody's home address travels in a picture: what is personal is gone from all that is kept and served, by the judgement of exiftool,
// and no pixel has changed.
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import t, { type Test } from 'tap'
import { decodeHeic } from '../../src/images/heic.ts'
import { heif } from '../fixtures/heif.ts'
import { drawing } from '../fixtures/photos.ts'
import { multipart, temporaryFolder } from '../helper.ts'
import { animation, apng } from '../images/made.ts'
import { attachmentIn, call, get, json, postAttachment, sha256, type Answer } from './client.ts'
import { bearer, start, type Gateway } from './gateway.ts'
import { needs, run } from './machine.ts'

await needs('exiftool')

/** A picture before anything personal was written into it, and after. */
type Planted = { readonly name: string, readonly clean: Buffer, readonly bytes: Buffer }

type Served = { readonly name: string, readonly bytes: Buffer, readonly isVariant: boolean }

const mark = 'planted'
/** As ASCII and UTF-8 have it, and as Windows writes names into EXIF. */
const marks = [Buffer.from(mark), Buffer.from(mark, 'utf16le')]

/** As the camera had it in the hand: the picture lies on its side, and only the orientation says so. */
const orientation = 6

const texts = ['Artist', 'Make', 'Model', 'Copyright', 'ImageDescription', 'SerialNumber', 'LensSerialNumber', 'OwnerName', 'XPAuthor', 'UserComment', 'Comment', 'XMP-dc:Creator', 'XMP-photoshop:City', 'IPTC:City', 'IPTC:By-line', 'PNG:Author']
const location = ['-GPSLatitude=52.520008', '-GPSLatitudeRef=N', '-GPSLongitude=13.404954', '-GPSLongitudeRef=E', '-GPSAltitude=34', '-XMP-exif:GPSLatitude=52.520008', '-XMP-exif:GPSLongitude=13.404954']

async function cleanPictures (): Promise<Record<string, Buffer>> {
  const still = () => drawing(240, 160).removeAlpha().withIccProfile('p3')
  const frames = [0.2, 0.5, 0.8].map((sun) => drawing(120, 80, { sun }).removeAlpha())
  return {
    'baseline.jpg': await still().jpeg().toBuffer(),
    'progressive.jpg': await still().jpeg({ progressive: true }).toBuffer(),
    'still.png': await still().png().toBuffer(),
    'animated.png': await apng(frames.map((picture) => ({ picture }))),
    'lossy.webp': await still().webp().toBuffer(),
    'lossless.webp': await still().webp({ lossless: true }).toBuffer(),
    'animated.webp': await animation('webp', frames),
    'still.gif': await still().gif().toBuffer(),
    'animated.gif': await animation('gif', frames),
    'still.avif': await still().avif({ effort: 2 }).toBuffer(),
    'still.heic': heif('quad'),
    'transparent.heic': heif('alpha'),
  }
}

async function plant (folder: string): Promise<Planted[]> {
  await mkdir(folder)
  const clean = await cleanPictures()
  const thumbnail = join(folder, '..', 'thumbnail.jpg')
  await writeFile(thumbnail, Buffer.concat([await drawing(60, 40).removeAlpha().jpeg().toBuffer(), Buffer.from(`${mark} in the thumbnail`)]))
  for (const [name, bytes] of Object.entries(clean)) {
    const path = join(folder, name)
    await writeFile(path, bytes)
    const turn = /heic|avif|animated/.test(name) ? [] : [`-Orientation#=${orientation}`]
    await run('exiftool', '-quiet', '-quiet', '-ignoreMinorErrors', '-overwrite_original', ...texts.map((text) => `-${text}=${mark} ${text}`), ...location, ...turn, ...(/jpg$/.test(name) ? [`-ThumbnailImage<=${thumbnail}`] : []), path)
  }
  const planted = Object.entries(clean).map(([name, bytes]) => ({ name, clean: bytes, bytes: readFileSync(join(folder, name)) }))
  const [jpeg] = planted
  if (jpeg === undefined) return []
  // Phones put a second picture behind the first, with its own place and time.
  return [...planted, { ...jpeg, name: 'two-in-one.jpg', bytes: Buffer.concat([jpeg.bytes, jpeg.bytes]) }]
}

const contains = (bytes: Buffer): boolean => marks.some((one) => bytes.includes(one))

/** The names of all tags of each file, with their groups, but for what the file system says. */
async function tagsIn (folder: string): Promise<Map<string, string[]>> {
  const files = JSON.parse(await run('exiftool', '-json', '-a', '-u', '-ee', '-G1', '-s', folder)) as Array<Record<string, unknown>>
  return new Map(files.map(({ SourceFile: path, ...tags }) => [String(path).slice(folder.length + 1), Object.keys(tags).filter((tag) => !/^(System|ExifTool|File|ICC)/.test(tag))]))
}

async function pixels (bytes: Buffer, name: string): Promise<string> {
  const input = name.endsWith('heic') ? await decodeHeic(bytes) : bytes
  const { data, info } = await sharp(input, { pages: /animated\.(gif|webp)/.test(name) ? -1 : 1 }).raw().toBuffer({ resolveWithObject: true })
  return `${info.width} × ${info.height} × ${info.channels}: ${sha256(data)}`
}

/** Every way in which a picture is let in and shown. */
async function allServed (t: Test, gateway: Gateway, { name, bytes }: Planted): Promise<Served[]> {
  const user = `user-of-${name}`
  const served: Served[] = []
  const ask = async (path: string) => {
    const answer = await get(gateway, path, user)
    t.equal(answer.status, 200, `${name} ${path}`)
    served.push({ name: `${served.length}-${name}.${answer.headers['content-type']?.replace('image/', '')}`, bytes: answer.body, isVariant: path.includes('?size=') })
  }
  const send = async (method: string, path: string, body: Buffer, headers: Record<string, string>): Promise<Answer> => {
    const answer = await call(gateway, path, { method, headers: { ...await bearer(user), ...headers }, body })
    t.ok(answer.status === 200 || answer.status === 201, `${method} ${path} ${name}: ${answer.status} ${answer.body}`)
    return answer
  }
  const variants = (path: string, sizes: number[]) => sizes.flatMap((size) => ['avif', 'webp', 'jpeg', 'png'].map((format) => `${path}?size=${size}&format=${format}`))

  const avatar = json(await send('PUT', '/api/avatars/me', bytes, { 'content-type': 'application/octet-stream' }))
  t.ok(avatar.metadataRemoved.includes('location'), `${name}: ${avatar.metadataRemoved}`)
  for (const path of [avatar.avatarUrl, avatar.versionedUrl, ...variants(avatar.versionedUrl, [64, 256]), `${avatar.versionedUrl}?size=96&animated=true&format=webp`, `/api/auth/avatar/${user}`, `/api/api/auth/avatar/${user}`]) await ask(path)

  const attachment = attachmentIn(await postAttachment(gateway, user, bytes))
  const preview = attachment.url.replace(/content$/, 'preview')
  for (const path of [attachment.url, `${attachment.url}?download=1`, ...variants(preview, [320]), `${preview}?size=320&animated=true&format=webp`]) await ask(path)

  const form = await multipart([['avatar', { bytes, filename: name }]])
  await send('PUT', '/api/auth/avatar', form.payload, form.headers)
  await ask(`/api/auth/avatar/${user}`)
  if (/(jpg|png|webp)$/.test(name)) await ask(new URL(json(await send('POST', '/api/upload/avatar', form.payload, form.headers)).url).pathname)

  const archive = await get(gateway, '/api/users/me/export', user)
  t.equal(archive.status, 200)
  t.notOk(contains(archive.body), `${name}: nothing of it is in the export`)
  return served
}

function filesBelow (folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

t.test('exiftool finds nothing personal in any served file, and the pixels are the same', { timeout: 300_000 }, async (t) => {
  const folder = await temporaryFolder(t)
  const corpus = await plant(join(folder, 'corpus'))
  const volume = join(folder, 'uploads')
  await mkdir(volume)
  const gateway = await start(t, volume)
  const before = await tagsIn(join(folder, 'corpus'))
  for (const folderOf of ['clean', 'served']) await mkdir(join(folder, folderOf))
  for (const { name, clean } of corpus) await writeFile(join(folder, 'clean', name), clean)
  const cleanTags = await tagsIn(join(folder, 'clean'))

  const origins = new Map<string, Served & { readonly from: string }>()
  for (const planted of corpus) {
    const { name, clean, bytes } = planted
    t.ok(contains(bytes), `${name} has something to be found`)
    if (name !== 'two-in-one.jpg') t.ok(before.get(name)?.some((tag) => tag.includes('GPS')), `${name} has a place`)
    const all = await allServed(t, gateway, planted)
    const [stored] = all
    if (stored === undefined) continue
    t.equal(await pixels(stored.bytes, name), await pixels(bytes, name), `${name}: each pixel is the same`)
    t.equal(await pixels(stored.bytes, name), await pixels(clean, name))
    const [was, is] = await Promise.all([bytes, stored.bytes].map(async (one) => sharp(one, { failOn: 'none' }).metadata()))
    t.same(is?.icc, was?.icc, `${name}: the colours mean the same`)
    t.same(is?.autoOrient, was?.autoOrient, `${name}: and it is as upright as it was`)
    for (const one of all) {
      origins.set(one.name, { ...one, from: name })
      t.notOk(contains(one.bytes), `${one.name}: no planted byte is left`)
      await writeFile(join(folder, 'served', one.name), one.bytes)
    }
  }

  const servedTags = await tagsIn(join(folder, 'served'))
  t.equal(servedTags.size, origins.size)
  const kept = /Orientation$|:ExifByteOrder$|:(X|Y)Resolution$|:ResolutionUnit$|:YCbCrPositioning$/
  for (const [name, tags] of servedTags) {
    const { from = '', isVariant } = origins.get(name) ?? {}
    const allowed = cleanTags.get(from) ?? []
    t.same(tags.filter((tag) => /GPS|Location|City|Artist|Creator|Author|Owner|Serial|Make|Model|Comment|Description|Copyright|By-?line|Thumbnail|XMP|IPTC|Photoshop/i.test(tag)), [], name)
    if (!isVariant) t.same(tags.filter((tag) => !allowed.includes(tag) && !kept.test(tag)), [], `${name} tells no more than it did before anything was planted`)
  }
  t.same(filesBelow(volume).filter((path) => contains(readFileSync(path))), [], 'and nowhere on the volume')
  t.comment(`${corpus.length} pictures, ${origins.size} served files`)
})

t.test('what is to be kept is kept, byte for byte', async (t) => {
  const folder = await temporaryFolder(t)
  const corpus = await plant(join(folder, 'corpus'))
  await mkdir(join(folder, 'uploads'))
  const gateway = await start(t, join(folder, 'uploads'))
  for (const { name, bytes, clean } of corpus) {
    const untouched = attachmentIn(await postAttachment(gateway, 'ada', clean))
    t.match(untouched, { sha256: sha256(clean), metadataRemoved: { length: 0 } }, `${name} has nothing personal in it`)
    const asked = await call(gateway, '/api/attachments?metadata=keep', { method: 'POST', headers: { ...await bearer('ada'), 'content-type': 'application/octet-stream' }, body: bytes })
    t.match(attachmentIn(asked), { sha256: sha256(bytes), metadataRemoved: { length: 0 } })
    const service = await call(gateway, '/api/attachments?ownerId=ada', { method: 'POST', headers: { ...await bearer('billing', 'uploads:service'), 'content-type': 'application/octet-stream' }, body: bytes })
    t.match(attachmentIn(service), { sha256: sha256(bytes), metadataRemoved: { length: 0 } })
    const preview = await get(gateway, `${attachmentIn(asked).url.replace(/content$/, 'preview')}?size=320&format=jpeg`, 'ada')
    t.notOk(contains(preview.body), 'but no preview tells of it')
  }
})
