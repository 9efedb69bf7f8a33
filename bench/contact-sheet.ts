// What the gateway makes of pictures, on one page to look at: every kind of file in every size and format, from a gateway of its own.
//   node bench/contact-sheet.ts [folder for the page, contact-sheet in the temporary folder] [folders of more pictures…]
// Look for: upright, the colours of the first column, sharp, and never more pixels than the picture has.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import sharp from 'sharp'
import { kinds, orientations, type Photo } from '../test/fixtures/photos.ts'
import { bearer, start } from '../test/system/gateway.ts'

const formats = ['avif', 'webp', 'jpeg', 'png'] as const
const previewSize = 320
const columns = [...formats.map((format) => ({ size: 64, format })), ...formats.map((format) => ({ size: 256, format })), ...formats.map((format) => ({ size: previewSize, format }))]

type Answer = { readonly status: number, readonly bytes: Buffer, readonly contentType: string }

const [page = join(tmpdir(), 'contact-sheet'), ...folders] = process.argv.slice(2)
const pictures = join(page, 'pictures')
await rm(pictures, { recursive: true, force: true })
await mkdir(pictures, { recursive: true })
const volume = await mkdtemp(join(tmpdir(), 'upload-gateway-'))
const gateway = await start({ teardown: () => {} }, volume, { AVATAR_MAX_BYTES: String(50 * 1024 ** 2) })
const headers = await bearer('ada')

async function * picturesIn (folder: string): AsyncGenerator<Photo> {
  for (const name of (await readdir(folder)).sort()) if (/\.(jpe?g|png|webp|gif|avif|hei[cf])$/i.test(name)) yield { name, bytes: await readFile(join(folder, name)) }
}

async function ask (path: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await fetch(gateway.url + path, { ...init, headers: { ...headers, ...init.headers } })
  return { status: answer.status, bytes: Buffer.from(await answer.arrayBuffer()), contentType: answer.headers.get('content-type') ?? '' }
}

const send = (method: string, path: string, bytes: Buffer) => ask(path, { method, body: new Uint8Array(bytes), headers: { 'content-type': 'application/octet-stream' } })
const json = ({ bytes }: Answer) => JSON.parse(bytes.toString())
const refusal = (answer: Answer): string => `${answer.status} ${json(answer).code}`

let written = 0

/** A cell of the table: the picture in its own pixels, and what it is. */
async function cell ({ status, bytes, contentType }: Answer, hint = ''): Promise<string> {
  if (status !== 200) return `<td class="refused">${refusal({ status, bytes, contentType })}`
  const name = `${written += 1}.${contentType.replace('image/', '')}`
  await writeFile(join(pictures, name), bytes)
  const { width, height, pageHeight = height, pages = 1 } = await sharp(bytes).metadata()
  return `<td><img src="pictures/${name}"><br>${width} × ${pageHeight}${pages > 1 ? ` × ${pages}` : ''} px<br>${bytes.length} B${hint}`
}

async function row ({ name, bytes, isMoving }: Photo): Promise<string> {
  const extension = name.slice(name.lastIndexOf('.'))
  const original = `${written += 1}${extension}`
  await writeFile(join(pictures, original), bytes)
  const head = `<tr><th>${name}<td class="original"><img src="pictures/${original}"><br>${bytes.length} B`
  const kept = await send('PUT', '/api/avatars/me', bytes)
  if (kept.status > 201) return `${head}<td colspan="${columns.length + 1}" class="refused">${refusal(kept)}`
  const attached = await send('POST', '/api/attachments', bytes)
  const { versionedUrl, width, height } = json(kept)
  const preview = json(attached).attachments[0].url.replace(/content$/, 'preview')
  const cells = await Promise.all(columns.map(async ({ size, format }) => cell(await ask(`${size === previewSize ? preview : versionedUrl}?size=${size}&format=${format}`))))
  const moving = isMoving ? await cell(await ask(`${preview}?size=${previewSize}&format=webp&animated=true`), '<br>in motion') : '<td>'
  return `${head}<br>${width} × ${height} px${cells.join('')}${moving}`
}

async function table (title: string, photos: AsyncIterable<Photo>): Promise<string> {
  const rows = []
  for await (const photo of photos) rows.push(await row(photo))
  return `<h2>${title}</h2><table><tr><th><th>as sent${columns.map(({ size, format }) => `<th>${size} ${format}`).join('')}<th>in motion${rows.join('\n')}</table>`
}

const style = `
  body { font: 12px sans-serif; margin: 8px } td, th { border: 1px solid #999; padding: 2px; text-align: left; vertical-align: top }
  table { border-collapse: collapse } img { background: repeating-conic-gradient(#ccc 0 25%, #fff 0 50%) 0 / 16px 16px }
  .original img { max-width: 256px; max-height: 256px } .refused { color: #a00 }
`

try {
  const tables = [await table('EXIF orientations', orientations()), await table('Kinds of files', kinds())]
  for (const folder of folders) tables.push(await table(folder, picturesIn(folder)))
  const file = resolve(page, 'index.html')
  await writeFile(file, `<!doctype html><meta charset="utf-8"><title>Contact sheet</title><style>${style}</style>${tables.join('\n')}`)
  process.stdout.write(`${written} pictures: ${pathToFileURL(file)}\n`)
} finally {
  await gateway.stop()
  await rm(volume, { recursive: true, force: true })
}
