// The two older systems, made up: a table of users, public folders, and all that goes wrong in them over the years.
import { createHash } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { lstat, mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { dirname, join } from 'node:path'
import type pg from 'pg'
import sharp from 'sharp'
import { call, sha256 } from './client.ts'
import type { Gateway } from './gateway.ts'

/** What must come of it: every old path with its bytes' hash, and how many files there are to find and to refuse. */
export type Expected = {
  /** Path on the gateway → sha-256. */
  readonly addresses: Map<string, string>
  found: number
  refused: number
  /** Of a type that was not true, and such. */
  noted: number
}

export const expected = (): Expected => ({ addresses: new Map(), found: 0, refused: 0, noted: 0 })

export const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

const base = await sharp({ create: { width: 24, height: 24, channels: 3, background: '#336699' } }).jpeg().toBuffer()
const png = await sharp({ create: { width: 24, height: 24, channels: 3, background: '#336699' } }).png().toBuffer()

/** Another picture for each number; what follows the end of one is not looked at, but kept. */
export const pictureOf = (number: number): Buffer => Buffer.concat([base, createHash('sha512').update(String(number)).digest(), Buffer.alloc(number % 3000, number)])

async function write (path: string, bytes: Buffer | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bytes)
  await utimes(path, new Date('2022-05-05'), new Date('2022-05-05'))
}

const wrapped = (text: string) => text.replace(/.{76}/g, '$&\r\n')
const urlSafe = (text: string) => text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')

/** `count` users of System R; its public folder is made in `publicDir`. Ids r1, r2, … */
export async function makeSystemR (client: pg.Client, publicDir: string, count: number): Promise<Expected> {
  const all = expected()
  await client.query('CREATE TABLE users (id text PRIMARY KEY, email text, avatar_data text, avatar_content_type text, avatar_url text, avatar_set_at timestamptz)')
  await write(join(publicDir, '..', 'secret.png'), png)
  const rows: Array<[id: string, data: string | null, type: string | null, url: string | null]> = []
  for (let n = 1; n <= count; n += 1) rows.push(await userOf(all, publicDir, n))
  for (let at = 0; at < rows.length; at += 200) {
    const group = rows.slice(at, at + 200)
    const places = group.map((_, index) => `(${[1, 2, 3, 4].map((place) => `$${index * 4 + place}`).join(',')}, '2024-01-01')`)
    await client.query(`INSERT INTO users (id, avatar_data, avatar_content_type, avatar_url, avatar_set_at) VALUES ${places.join(',')}`, group.flat())
  }
  return all
}

async function userOf (all: Expected, publicDir: string, n: number): Promise<[string, string | null, string | null, string | null]> {
  const id = `r${n}`
  const picture = pictureOf(n)
  const base64 = picture.toString('base64')
  const good = (data: string | null, type: string | null = 'image/jpeg', url: string | null = null): [string, string | null, string | null, string | null] => {
    all.found += 1
    all.addresses.set(`/api/avatars/${id}`, hashOf(picture))
    return [id, data, type, url]
  }
  const refused = (data: string | null, url: string | null = null): [string, string | null, string | null, string | null] => {
    all.found += 1
    all.refused += 1
    return [id, data, 'image/png', url]
  }
  const file = `avatar-${n}.jpg`
  switch (n % 20) {
    case 0: return [id, null, null, null]
    case 1: return good(`data:image/jpeg;base64,${base64}`)
    case 2: return good(wrapped(base64))
    case 3: return good(urlSafe(base64))
    case 4:
      all.noted += 1
      return good(base64, 'image/png')
    case 5:
      await write(join(publicDir, 'uploads/avatars', file), picture)
      all.addresses.set(`/uploads/avatars/${file}`, hashOf(picture)).set(`/api/uploads/avatars/${file}`, hashOf(picture))
      return good(null, null, `https://old.example/uploads/avatars/${file}?v=3`)
    case 6:
      await write(join(publicDir, 'uploads/avatars', file), pictureOf(n + 1))
      all.addresses.set(`/uploads/avatars/${file}`, hashOf(picture))
      return good(base64, null, `/uploads/avatars/${file}`)
    case 7: return refused(`${base64.slice(0, 100)}!${base64.slice(101)}`)
    case 8: return refused(Buffer.from('<html>no picture</html>').toString('base64'))
    case 9: return refused(null, `/uploads/avatars/missing-${n}.png`)
    case 10: return refused(null, n % 40 === 10 ? '/uploads/avatars/../../../secret.png' : '/uploads/avatars/..%2f..%2f..%2fsecret.png')
    case 11: return n < 100 ? refused(Buffer.concat([base, Buffer.alloc(5 * 1024 ** 2)]).toString('base64')) : good(` ${base64} `)
    case 12: return refused(null, 'https://elsewhere.example/me.png')
    case 13: return refused(`data:image/svg+xml;utf8,<svg>${n}</svg>`)
    case 14: return refused(base64.slice(0, base64.length - (base64.length % 4) - 3))
    default: return good(base64, 'image/jpeg')
  }
}

/** `count` pictures below `folder`, and the list of users who have them. Ids m1, m2, … */
export async function makeAvatars (folder: string, users: string, count: number): Promise<Expected> {
  const all = expected()
  const list: string[] = []
  for (let n = 1; n <= count; n += 1) {
    const bytes = n % 50 === 3 ? Buffer.from(`this is no picture ${n}`) : n % 1000 === 4 ? Buffer.concat([base, Buffer.alloc(5 * 1024 ** 2)]) : pictureOf(100_000 + n)
    const path = `p/2023/${String(n % 12 + 1).padStart(2, '0')}/avatar_${1_680_000_000_000 + n}_${n.toString(36)}.jpg`
    await write(join(folder, path), bytes)
    all.found += 1
    const url = [`https://app.example/i/${path}`, `/i/${path}`, `//cdn.example/i/${path}?w=64`, `http://10.0.0.1:3000/i/${path}#x`][n % 4]
    const isImportable = n % 50 !== 3 && n % 1000 !== 4
    if (n % 10 !== 0) list.push(JSON.stringify(n % 2 === 0 ? { id: `m${n}`, avatar: url, name: 'x' } : { _id: { $oid: `m${n}` }, avatar: url }))
    if (isImportable || n % 10 === 0) all.addresses.set(`/i/${path}`, hashOf(bytes))
    else all.refused += 1
    if (isImportable && n % 10 !== 0) all.addresses.set(`/api/avatars/m${n}`, hashOf(bytes))
  }
  for (let n = 1; n <= 100; n += 1) list.push(JSON.stringify({ id: `dead${n}`, avatar: `/i/p/2020/01/gone_${n}.png` }))
  list.push('no json', JSON.stringify({ id: 'no avatar' }), JSON.stringify({ id: 'ext', avatar: 'https://gravatar.example/x' }), JSON.stringify({ id: 'me', avatar: '/i/x.png' }))
  all.found += 103
  all.refused += 103
  await writeFile(users, list.join('\n'))
  return all
}

export const oddNames = [
  'with space.txt', 'ümlaut-é.txt', 'u\u0308mlaut-nfd.txt', '100%.txt', '%41.txt', 'a#b.txt', 'a?b=c.txt', '.hidden', '..two-dots', 'new\nline.txt', 'back\\slash.txt', 'plus+and&.txt', 'semi;colon.txt', '日本語.txt', '😀.txt', "quote'\".txt", `${'long'.repeat(60)}.txt`, 'trailing ', ' leading', '~tilde', '[brackets].txt', 'tab\t.txt', 'a=b,c@d:e.txt', '-dash',
]

/** `count` files below `folder`, and their index. Owners u0 to u99. */
export async function makeAttachments (folder: string, index: string, count: number): Promise<Expected> {
  const all = expected()
  const list: string[] = []
  const names = [...oddNames.map((name) => `odd/${name}`), ...oddNames.map((name) => `${name}/inside`)]
  for (let n = 0; n < count; n += 1) {
    const path = names[n] ?? `20${n % 5 + 18}/${n % 7}/file ${n}.${['pdf', 'txt', 'jpg', 'csv', 'bin'][n % 5]}`
    const bytes = n % 100 === 50 ? Buffer.alloc(0) : n % 1000 === 7 ? Buffer.alloc(1024 ** 2 + 1, n) : n % 5 === 2 ? pictureOf(200_000 + n) : Buffer.from(`the contents of file ${n}\n`.repeat(n % 50 + 1))
    await write(join(folder, path), bytes)
    all.found += 1
    const isOwnerless = n % 100 === 99
    const isTooLarge = n % 1000 === 7
    const isHidden = /(^|\/)\./.test(path)
    if (!isOwnerless) list.push(JSON.stringify({ ...(n % 2 === 0 ? { path } : { url: `https://app.example/uploads/${path.split('/').map(encodeURIComponent).join('/')}` }), ownerId: `u${n % 100}`, filename: `shown ${n}.txt`, contentType: 'text/plain', createdAt: '2021-03-04T05:06:07Z', contextType: 'message', contextId: String(n) }))
    if (isOwnerless || isTooLarge || isHidden) all.refused += 1
    else all.addresses.set(`/uploads/${path.split('/').map(encodeURIComponent).join('/')}`, hashOf(bytes))
  }
  await symlink('/etc/passwd', join(folder, 'link'))
  await symlink(folder, join(folder, 'loop'))
  execFileSync('mkfifo', [join(folder, 'fifo')])
  await writeFile(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xfe])]), 'a name that is no text')
  for (let n = 0; n < 20; n += 1) list.push(JSON.stringify({ path: `gone/${n}`, ownerId: 'u1' }))
  all.found += 24
  all.refused += 24
  await writeFile(index, list.join('\n'))
  return all
}

/** Names, times and bytes of everything below `folder`. */
export async function stateOf (folder: string): Promise<string> {
  return hashOf(Buffer.from((await linesOf(Buffer.from(folder))).sort().join('\n')))
}

async function linesOf (folder: Buffer): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, encoding: 'buffer' })
  const lines = await Promise.all(entries.map(async (entry) => {
    const path = Buffer.concat([folder, Buffer.from('/'), entry.name])
    const { mtimeMs, ctimeMs, size, mode } = await lstat(path)
    const own = [path.toString('latin1'), mtimeMs, ctimeMs, size, mode, entry.isFile() ? hashOf(await readFile(path)) : ''].join(' ')
    return [own, ...(entry.isDirectory() ? await linesOf(path) : [])]
  }))
  return lines.flat()
}

/** Those of `addresses` that the gateway does not answer with these bytes. */
export async function unanswered (gateway: Gateway, addresses: Iterable<[string, string]>): Promise<string[]> {
  const rest = [...addresses]
  const wrong: string[] = []
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  const reader = async () => {
    for (let one = rest.pop(); one !== undefined; one = rest.pop()) {
      const { status, body } = await call(gateway, one[0], { agent })
      if (status !== 200 || sha256(body) !== one[1]) wrong.push(`${one[0]} ${status}`)
    }
  }
  await Promise.all(Array.from({ length: 16 }, reader))
  agent.destroy()
  return wrong
}
