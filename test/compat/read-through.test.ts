import { execFileSync } from 'node:child_process'
import { mkdir, readdir, rename, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type Test } from 'tap'
import { attachment, home } from '../operations/import/fixtures/import.ts'
import { build, picture, temporaryFolder } from '../helper.ts'

async function oldFolder (t: Test, files: Record<string, string | Buffer>): Promise<string> {
  const folder = await temporaryFolder(t)
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), bytes)
    await utimes(join(folder, path), new Date('2021-01-01'), new Date('2021-01-01'))
  }
  return folder
}

test('what is not imported yet is served from the old folders, as what its bytes are', async (t) => {
  const png = await picture('png')
  const one = await oldFolder(t, { 'i/p/a.jpg': png, 'uploads/x/evil.html': '<script>1</script>', 'uploads/a b%.csv': 'a,b', 'uploads/empty': '' })
  const two = await oldFolder(t, { 'uploads/avatars/r.png': png, 'uploads/x/evil.html': 'the second' })
  const { app, files } = await build(t, { READ_THROUGH_DIRS: `${one},${two}` })
  const before = [await files(), await readdir(one, { recursive: true }), (await stat(join(one, 'i/p/a.jpg'))).mtimeMs]
  const answer = await app.inject({ url: '/i/p/a.jpg' })
  t.match(answer, { statusCode: 200, headers: { 'content-type': 'image/png', 'cache-control': 'public, no-cache', 'last-modified': 'Fri, 01 Jan 2021 00:00:00 GMT', 'content-disposition': /^inline; filename="?a.jpg/, 'x-content-type-options': 'nosniff' } })
  t.ok(answer.rawPayload.equals(png))
  t.equal((await app.inject({ url: '/i/p/a.jpg', headers: { 'if-none-match': String(answer.headers.etag) } })).statusCode, 304)
  t.ok((await app.inject({ url: '/i/p/a.jpg', headers: { range: 'bytes=1-3' } })).rawPayload.equals(png.subarray(1, 4)))
  t.match(await app.inject({ method: 'HEAD', url: '/i/p/a.jpg' }), { statusCode: 200, headers: { 'content-length': String(png.length) } })
  t.match(await app.inject({ url: '/uploads/x/evil.html' }), { payload: '<script>1</script>', headers: { 'content-disposition': /^attachment/ } }, 'the first folder answers, and pages are only saved')
  t.match(await app.inject({ url: '/uploads/a%20b%25.csv' }), { payload: 'a,b', headers: { 'content-type': /^text\/csv/ } })
  t.match(await app.inject({ url: '/uploads/empty' }), { statusCode: 200, payload: '' })
  for (const url of ['/uploads/avatars/r.png', '/api/uploads/avatars/r.png']) t.ok((await app.inject({ url })).rawPayload.equals(png), url)
  t.strictSame([await files(), await readdir(one, { recursive: true }), (await stat(join(one, 'i/p/a.jpg'))).mtimeMs], before, 'nothing is written anywhere')
})

test('only regular files below the folders are served', async (t) => {
  const old = await oldFolder(t, { 'i/a': 'a', 'i/.hidden': 'x', 'i/.git/config': 'x', secret: 'x', 'uploads/b': 'b' })
  await symlink(join(old, 'secret'), join(old, 'i', 'link'))
  await symlink(old, join(old, 'i', 'up'))
  execFileSync('mkfifo', [join(old, 'i', 'fifo')])
  const { app } = await build(t, { READ_THROUGH_DIRS: old })
  for (const url of ['/i/', '/i/none', '/i/.hidden', '/i/.git/config', '/i/link', '/i/up/secret', '/i/fifo', '/i/..%2fsecret', '/i/%2e%2e/secret', '/i/../secret', '/i//a', '/i/a/', '/i/a%00', '/i/' + 'x'.repeat(300)]) {
    t.match((await app.inject({ url })), { statusCode: 404 }, url.slice(0, 30))
  }
  t.equal((await app.inject({ url: '/i/a' })).payload, 'a')
})

test('the gateway\'s own word counts: an imported file, a deleted one, one that is gone for good', async (t) => {
  const old = await oldFolder(t, { 'uploads/a': 'old', 'uploads/b': 'old', 'uploads/c': 'old' })
  const { app, as, importing } = await home(t, { READ_THROUGH_DIRS: old })
  t.equal((await app.inject({ url: '/uploads/a' })).payload, 'old')
  await importing([attachment('/uploads/a', Buffer.from('new')), attachment('/uploads/c', Buffer.from('mine'), { visibility: 'private' })])
  t.equal((await app.inject({ url: '/uploads/a' })).payload, 'new')
  t.equal((await app.inject({ url: '/uploads/c' })).statusCode, 404, 'a private one is not served from the old folder')
  const { id } = await app.database.client.attachment.findFirstOrThrow({ where: { filename: 'a' } })
  await app.inject({ method: 'DELETE', url: `/api/attachments/${id}`, headers: await as('archive') })
  t.equal((await app.inject({ url: '/uploads/a' })).statusCode, 404)
  await app.database.client.tombstone.create({ data: { key: app.storage.hash('path', '/uploads/b'), createdAt: new Date() } })
  t.equal((await app.inject({ url: '/uploads/b' })).statusCode, 404)
})

test('a file that is replaced is read anew; one that changes under way is not served as another', async (t) => {
  const old = await oldFolder(t, { 'uploads/a': 'one', 'i/b': 'b' })
  const { createReadThrough } = await import('../../src/compat/read-through.ts')
  const behind = await createReadThrough({ folders: [old], own: [], isKnown: async () => false })
  const first = await behind('/uploads/a')
  const again = await behind('/uploads/a')
  t.equal(first?.sha256, again?.sha256)
  await writeFile(join(old, 'new'), 'two')
  await rename(join(old, 'new'), join(old, 'uploads', 'a'))
  await t.rejects(async () => first?.read(), { code: 'STORAGE_UNAVAILABLE' })
  t.not((await behind('/uploads/a'))?.sha256, first?.sha256)
  const gone = await behind('/i/b')
  await rename(join(old, 'i'), join(old, 'j'))
  await t.rejects(async () => gone?.read(), { code: 'STORAGE_UNAVAILABLE' })
  t.equal(await behind('/elsewhere'), undefined)
})

test('a file that cannot be read to its end is not there right now', async (t) => {
  const old = await oldFolder(t, { 'uploads/a': 'x' })
  const { createReadThrough } = await import('../../src/compat/read-through.ts')
  const behind = await createReadThrough({ folders: [old], own: [], isKnown: async () => false })
  const over = new AbortController()
  const writing = (async () => { while (!over.signal.aborted) await writeFile(join(old, 'uploads', 'a'), Buffer.alloc(3_000_000, 1)) })()
  const outcomes = new Set<string>()
  for (let n = 0; n < 500 && !outcomes.has('STORAGE_UNAVAILABLE'); n += 1) await behind('/uploads/a').then(() => outcomes.add('served'), (error: { code: string }) => outcomes.add(error.code))
  over.abort()
  await writing
  t.ok(outcomes.has('STORAGE_UNAVAILABLE'))
  t.match(await behind('/uploads/a'), { size: 3_000_000 }, 'and is there once it is whole')
})

test('a folder with nothing to serve, or with the volume in it, stops the start', async (t) => {
  const empty = await temporaryFolder(t)
  await t.rejects(build(t, { READ_THROUGH_DIRS: empty }), { name: 'ConfigError', message: /neither a folder i nor a folder uploads/ })
  await t.rejects(build(t, { READ_THROUGH_DIRS: join(empty, 'none') }), { name: 'ConfigError' })
  await mkdir(join(empty, 'uploads'))
  await t.rejects(build(t, { READ_THROUGH_DIRS: empty, UPLOADS_DIR: join(empty, 'uploads') }), { name: 'ConfigError', message: /open to everyone/ })
  await t.rejects(build(t, { READ_THROUGH_DIRS: empty, DATABASE_URL: `file:${join(empty, 'uploads', 'x.sqlite')}` }), { name: 'ConfigError', message: /open to everyone/ })
  const link = await temporaryFolder(t)
  await mkdir(join(link, 'volume', 'below'), { recursive: true })
  await symlink(join(link, 'volume', 'below'), join(link, 'i'))
  await t.rejects(build(t, { READ_THROUGH_DIRS: link, UPLOADS_DIR: join(link, 'volume') }), { name: 'ConfigError', message: /open to everyone/ })
})
