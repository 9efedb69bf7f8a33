import { test } from 'tap'
import { StorageFull } from '../../../src/errors.ts'
import { Unimportable } from '../../../src/operations/import/candidate.ts'
import { OldFileRefused } from '../../../src/storage/old-folder.ts'
import { picture } from '../../helper.ts'
import { attachment, avatar, home } from './fixtures/import.ts'

const outcomes = (report: { outcomes: Record<string, { files: number }> }) => Object.fromEntries(Object.entries(report.outcomes).filter(([, { files }]) => files > 0).map(([name, { files }]) => [name, files]))

test('what is imported answers at its old address and its new one, with the same bytes', async (t) => {
  const { app, importing, entries, tools } = await home(t)
  const [bytes, text] = [await picture('png'), Buffer.from('a,b\n1,2\n')]
  const report = await importing([avatar('ada', bytes), attachment('/uploads/2024/list.csv', text, { declaredType: 'text/csv', contextType: 'ticket', contextId: '7' })])
  t.match(report, { isDryRun: false, found: { files: 2, bytes: bytes.length + text.length }, outcomes: { imported: { files: 2 } } })
  for (const url of ['/i/ada.png', '/api/avatars/ada', '/api/auth/avatar/ada']) t.ok((await app.inject({ url })).rawPayload.equals(bytes), url)
  const old = await app.inject({ url: '/uploads/2024/list.csv' })
  t.match(old, { statusCode: 200, headers: { 'content-type': 'text/csv', 'content-disposition': /attachment; filename="?list.csv/, 'last-modified': 'Fri, 01 Mar 2024 00:00:00 GMT' } })
  t.ok(old.rawPayload.equals(text))
  t.match(await app.inject({ url: '/uploads/2024/list.csv', headers: { range: 'bytes=2-3' } }), { statusCode: 206, payload: 'b\n' })
  t.match(await app.inject({ method: 'HEAD', url: '/uploads/2024/list.csv' }), { statusCode: 200, headers: { 'content-length': '8' } })

  const [entry] = entries.filter(({ kind }) => kind === 'attachment')
  const sidecar = await tools.store.readSidecar({ kind: 'attachment', id: entry?.id as never, extension: 'csv' })
  t.match(sidecar, { state: 'live', creatorId: null, ownerId: 'archive', source: 'test:/uploads/2024/list.csv', sourceSha256: entry?.sha256, createdAt: '2024-03-01T00:00:00.000Z', filename: 'list.csv', visibility: 'public', contextType: 'ticket', contextId: '7', aliases: ['/uploads/2024/list.csv'] })
  t.match(await app.database.client.blob.findFirst({ where: { kind: 'avatar' } }), { source: 'test:users/ada', creatorId: null, ownerId: 'ada', sidecarDueAt: null, stateAt: new Date('2024-03-01') })
})

test('a second run imports nothing; a deleted file stays deleted', async (t) => {
  const { app, as, importing, files } = await home(t)
  const found = [avatar('ada', await picture('png')), attachment('/uploads/a.txt', Buffer.from('text'))]
  await importing(found)
  const before = await files()
  t.strictSame(outcomes(await importing(found)), { there: 2 })
  t.strictSame(await files(), before)
  await app.inject({ method: 'DELETE', url: '/api/avatars/me', headers: await as('ada') })
  const report = await importing(found)
  t.strictSame(outcomes(report), { there: 2 })
  t.match(report.reasons.map(({ code }) => code), ['there', 'there-deleted'])
  t.equal((await app.inject({ url: '/i/ada.png' })).statusCode, 404)
})

test('a dry run says the same as the run, and writes nothing', async (t) => {
  const { importing, files, app } = await home(t)
  const [one, two] = [await picture('png', { seed: 1 }), await picture('png', { seed: 2 })]
  const found = [
    avatar('ada', one, { paths: ['/i/x.png'] }), avatar('bob', one, { paths: ['/i/x.png'] }), avatar('eve', two, { paths: ['/i/x.png'] }), attachment('/i/x.png', two),
    avatar('tim', Buffer.from('text')), attachment('/uploads/a', Buffer.alloc(0)), { source: 'test:b', code: 'symlink' as const, reason: 'it is a symbolic link' },
  ]
  const before = await files()
  const planned = await importing(found, { isDryRun: true })
  t.strictSame(await files(), before)
  t.equal(await app.database.client.blob.count(), 0)
  const done = await importing(found)
  t.equal(done.found.bytes, 4 + 2 * one.length + 2 * two.length, 'what was read and refused counts with its bytes')
  t.strictSame({ ...planned, isDryRun: false, reasons: [], listed: [] }, { ...done, reasons: [], listed: [] })
  t.strictSame(outcomes(done), { imported: 4, refused: 3 })
  t.strictSame(done.reasons.map(({ code }) => code).sort(), ['path-taken', 'symlink', 'wrong-type'])
  t.equal(done.withNotes, 2, 'bob and eve have a picture, but not under the old path')
  t.ok((await app.inject({ url: '/i/x.png' })).rawPayload.equals(one))
})

test('a source changed since is imported again, under its old address and its record', async (t) => {
  const { app, as, importing, entries } = await home(t)
  const [one, two] = [await picture('png', { seed: 1 }), await picture('png', { seed: 2 })]
  await importing([avatar('ada', one), attachment('/uploads/a.txt', Buffer.from('one'))])
  const record = await app.database.client.attachment.findFirstOrThrow({})
  await app.inject({ method: 'PATCH', url: `/api/attachments/${record.id}`, headers: await as('archive'), payload: { visibility: 'private', filename: 'mine.txt' } })

  t.strictSame(outcomes(await importing([avatar('ada', two, { createdAt: new Date('2024-04-01') }), attachment('/uploads/a.txt', Buffer.from('two'))])), { changed: 2 })
  for (const url of ['/i/ada.png', '/api/avatars/ada']) t.ok((await app.inject({ url })).rawPayload.equals(two), url)
  t.equal((await app.inject({ url: '/uploads/a.txt' })).statusCode, 404, 'it was made private here, and stays so')
  const own = await app.inject({ url: `/api/attachments/${record.id}`, headers: await as('archive') })
  t.match(own.json(), { id: record.id, filename: 'mine.txt', visibility: 'private', size: 3 })
  t.equal((await app.inject({ url: '/uploads/a.txt', headers: await as('archive') })).payload, 'two')
  t.strictSame((await app.database.client.blob.groupBy({ by: ['kind', 'state'], _count: true, orderBy: [{ kind: 'asc' }, { state: 'asc' }] })).map(({ kind, state, _count }) => [kind, state, _count]),
    [['attachment', 'deleted', 1], ['attachment', 'live', 1], ['avatar', 'live', 1], ['avatar', 'superseded', 1]])
  t.equal(await app.database.client.blob.count({ where: { sidecarDueAt: { not: null } } }), 0)
  for (const { id, kind, sha256 } of entries) {
    t.match(await app.storage.store.readSidecar({ kind: kind as 'avatar', id: id as never, extension: 'x' }), { state: 'live', sha256, aliases: [kind === 'avatar' ? '/i/ada.png' : '/uploads/a.txt'] })
  }
  t.match((await app.inject({ url: '/api/avatars/me/versions', headers: await as('ada') })).json().versions, [{ isCurrent: true }, { isCurrent: false }])
  t.strictSame(outcomes(await importing([avatar('ada', two), attachment('/uploads/a.txt', Buffer.from('two'))])), { there: 2 })
})

test('what the user set, removed or had erased here stays as it is; old addresses of a user with a picture of their own answer', async (t) => {
  const { app, as, importing, entries } = await home(t)
  const [old, own] = [await picture('png', { seed: 1 }), await picture('png', { seed: 2 })]
  const put = async (user: string) => app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...await as(user), 'content-type': 'image/png' }, payload: own })
  await put('ada')
  await put('bob')
  await app.inject({ method: 'DELETE', url: '/api/avatars/me', headers: await as('bob') })
  await importing([avatar('eve', old), avatar('joe', old, { createdAt: new Date('2020-01-01') })])
  await importing([avatar('joe', own, { source: 'test:other', paths: ['/i/other.png'] })])
  await app.inject({ method: 'DELETE', url: '/api/avatars/me', headers: await as('eve') })
  const first = await app.database.client.blob.findFirstOrThrow({ where: { ownerId: 'joe', source: 'test:users/joe' } })
  await app.inject({ method: 'POST', url: `/api/avatars/me/versions/${first.id}/restore`, headers: await as('joe') })
  const report = await importing(['ada', 'bob', 'eve', 'joe'].map((user) => avatar(user, old, { source: `test:again/${user}`, paths: [`/i/again/${user}`], createdAt: new Date() })))
  t.strictSame(outcomes(report), { imported: 2, kept: 2 })
  t.strictSame(report.listed.map(({ ownerId, code, reason }) => `${ownerId} ${code}: ${reason}`).sort(), ['bob deleted: the user deleted their picture here', 'eve deleted: the user deleted their picture here'])
  t.match(entries.filter(({ outcome }) => outcome === 'imported').map(({ ownerId, notes }) => `${ownerId} ${notes?.join()}`).sort(), [/^ada comes in as an earlier picture: the user has set one of their own here$/, /^joe comes in .* gone back to another here$/])
  t.equal(report.withNotes, 2)
  t.ok((await app.inject({ url: '/api/avatars/ada' })).rawPayload.equals(own))
  const answers = async () => Promise.all(['ada', 'bob', 'eve', 'joe'].map(async (user) => (await app.inject({ url: `/i/again/${user}` })).statusCode))
  t.strictSame(await answers(), [200, 404, 404, 200])
  t.ok((await app.inject({ url: '/i/again/ada' })).rawPayload.equals(old))
  const earlier = await app.database.client.blob.findFirstOrThrow({ where: { source: 'test:again/ada' } })
  t.match(earlier, { state: 'superseded', sidecarDueAt: null })
  t.ok(Date.now() - earlier.stateAt.getTime() < 60_000, 'its time in the trash begins now')
  t.match(await app.storage.store.readSidecar({ kind: 'avatar', id: earlier.id as never, extension: 'png' }), { state: 'superseded', aliases: ['/i/again/ada'] })
  t.match((await app.inject({ url: '/api/avatars/me/versions', headers: await as('ada') })).json().versions, [{ isCurrent: true }, { version: earlier.id, isCurrent: false }])
  t.strictSame(outcomes(await importing([avatar('ada', old, { source: 'test:again/ada', paths: ['/i/again/ada'] })])), { there: 1 }, 'a second run')
  t.strictSame(outcomes(await importing([avatar('ada', old, { source: 'r', paths: [] })], { isDryRun: true })), { kept: 1 }, 'nothing would be gained')
  await app.inject({ method: 'DELETE', url: '/api/avatars/me', headers: await as('ada') })
  t.strictSame(await answers(), [404, 404, 404, 200], 'who removes their picture removes the earlier ones')

  const { hash } = app.storage
  await app.database.client.tombstone.createMany({ data: [hash('avatar', 'gone'), hash('path', '/uploads/gone'), hash('source', 'test:/uploads/source')].map((key) => ({ key, createdAt: new Date() })) })
  await app.database.client.owner.create({ data: { key: hash('owner', 'erased'), epoch: 1 } })
  const again = await importing([avatar('gone', old), avatar('erased', old), attachment('/uploads/gone', old), attachment('/uploads/source', old), attachment('/uploads/fine', old, { ownerId: 'gone' })])
  t.strictSame(again.listed.map(({ code }) => code).sort(), ['deleted-for-good', 'deleted-for-good', 'deleted-for-good', 'erased'])
})

test('old paths of what was removed here are buried, so that no old folder answers for them; in a dry run they are not', async (t) => {
  const { app, as, importing } = await home(t)
  const [bytes, own] = [await picture('png', { seed: 1 }), await picture('png', { seed: 2 })]
  const { hash, tombstones } = app.storage
  const { client } = app.database
  await client.owner.create({ data: { key: hash('owner', 'erased'), epoch: 1 } })
  await client.tombstone.create({ data: { key: hash('avatar', 'gone'), createdAt: new Date() } })
  const put = async (user: string) => app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...await as(user), 'content-type': 'image/png' }, payload: own })
  for (const user of ['deleted', 'own']) await put(user)
  await app.inject({ method: 'DELETE', url: '/api/avatars/me', headers: await as('deleted') })
  const found = [
    ...['erased', 'gone', 'deleted', 'own'].map((user) => avatar(user, bytes)),
    avatar('erased', Buffer.from('no picture'), { source: 'test:bad', paths: ['/i/bad.png'] }),
    // Of somebody else as well, who is there.
    avatar('erased', bytes, { source: 'test:shared', paths: ['/i/shared.png'] }), avatar('eve', bytes, { paths: ['/i/shared.png'] }),
    attachment('/uploads/a', bytes, { ownerId: 'erased' }), attachment('/uploads/b', Buffer.alloc(0)), avatar('bob', Buffer.from('no picture')),
  ]
  const buried = async () => {
    const paths = found.flatMap(({ paths }) => paths)
    const all = await Promise.all(paths.map(async (path) => await client.tombstone.count({ where: { key: hash('path', path) } }) > 0 ? [path] : []))
    return [...new Set(all.flat())].sort()
  }
  await importing(found, { isDryRun: true })
  t.strictSame(await buried(), [])
  const first = outcomes(await importing(found))
  const wanted = ['/i/bad.png', '/i/deleted.png', '/i/erased.png', '/i/gone.png', '/uploads/a']
  t.strictSame(await buried(), wanted)
  const { keys } = await tombstones.read()
  t.ok(wanted.every((path) => keys.has(hash('path', path))), 'on the volume as well')
  t.strictSame(first, { imported: 3, kept: 5, refused: 2 })
  t.strictSame(outcomes(await importing(found)), { there: 3, kept: 5, refused: 2 })
  t.strictSame(outcomes(await importing([attachment('/i/erased.png', bytes)])), { kept: 1 }, 'a later import obeys')
  for (const url of ['/i/own.png', '/i/shared.png']) t.equal((await app.inject({ url })).statusCode, 200, url)
  const bury = async () => { throw new StorageFull() }
  await t.rejects(importing(found, { tools: { tombstones: { bury } } }), { name: 'Refusal', message: /^The storage is full/ })
})

test('who removes their picture while an earlier one comes in is not shown by that one', async (t) => {
  const { app, as, importing, tools } = await home(t)
  const [old, own] = [await picture('png', { seed: 1 }), await picture('png', { seed: 2 })]
  await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...await as('ada'), 'content-type': 'image/png' }, payload: own })
  const read = async function * () {
    await app.inject({ method: 'DELETE', url: '/api/avatars/me', headers: await as('ada') })
    yield old
  }
  t.strictSame(outcomes(await importing([avatar('ada', old, { read })], { tools: { now: tools.now } })), { imported: 1 })
  for (const url of ['/i/ada.png', '/api/avatars/ada']) t.equal((await app.inject({ url })).statusCode, 404, url)
})

test('of two imports for one user the newer picture becomes the current one, the other an earlier version', async (t) => {
  const { app, importing, entries } = await home(t)
  const [older, newer] = [await picture('png', { seed: 1 }), await picture('png', { seed: 2 })]
  const one = avatar('ada', newer, { source: 'r', paths: ['/uploads/avatars/a.png'], createdAt: new Date('2024-02-01') })
  const two = avatar('ada', older, { source: 'm', createdAt: new Date('2023-02-01') })
  t.strictSame(outcomes(await importing([one, two])), { imported: 2 })
  t.match(entries.find(({ source }) => source === 'm')?.notes, [/newer picture, imported from r/])
  t.ok((await app.inject({ url: '/api/avatars/ada' })).rawPayload.equals(newer))
  t.ok((await app.inject({ url: '/i/ada.png' })).rawPayload.equals(older), 'its old address answers as well')
  const earlier = await app.database.client.blob.findFirstOrThrow({ where: { source: 'm' } })
  t.ok(Date.now() - earlier.stateAt.getTime() < 60_000, 'its time in the trash begins now')
  // The earlier one changes at its source, and is still the older of the two.
  t.strictSame(outcomes(await importing([{ ...two, read: async function * () { yield await picture('png', { seed: 3 }) } }])), { changed: 1 })
  t.ok((await app.inject({ url: '/api/avatars/ada' })).rawPayload.equals(newer))
  t.ok((await app.inject({ url: '/i/ada.png' })).rawPayload.equals(await picture('png', { seed: 3 })))
  t.equal(await app.database.client.blob.count({ where: { sidecarDueAt: { not: null } } }), 0)
})

test('the same file as an attachment under a path that is imported already is there already', async (t) => {
  const { importing, entries } = await home(t)
  const bytes = await picture('png')
  await importing([avatar('ada', bytes)])
  const isOwnerless = { isOwnerless: true }
  t.match(await importing([attachment('/i/ada.png', bytes, isOwnerless)]), { outcomes: { there: { files: 1 } }, withNotes: 1 })
  t.match(entries, [{ notes: [/^it belongs to "ada" here$/] }])
  t.match((await importing([attachment('/i/ada.png', Buffer.from('x'), isOwnerless)])).listed, [{ outcome: 'refused', code: 'path-taken' }])
  t.match((await importing([attachment('/i/ada.png', bytes, { ownerId: 'bob' })])).listed, [{ outcome: 'refused', code: 'owner-differs', reason: /"ada"/ }])
})

test('what cannot be read is refused with the reason, and the rest goes on', async (t) => {
  const { importing } = await home(t)
  const report = await importing([
    attachment('/uploads/a', Buffer.from(''), { read: async function * () { throw new OldFileRefused('unreadable') } }),
    attachment('/uploads/b', Buffer.from(''), { read: async function * () { throw new Unimportable('broken-base64', 'it is not base64') } }),
    attachment('/uploads/c', Buffer.from('c')),
  ])
  t.strictSame(outcomes(report), { imported: 1, refused: 2 })
  t.strictSame(report.listed.map(({ code, reason }) => [code, reason]).sort(), [['broken-base64', 'it is not base64'], ['unreadable', 'it cannot be read']])
})

test('a full disk stops the import with what to do, and any other failure as it is', async (t) => {
  const { importing, tools } = await home(t)
  const found = Array.from({ length: 240 }, (_, n) => attachment(`/uploads/${n}`, Buffer.from(`${n}`)))
  const failingAt = (count: number, error: Error) => ({ ...tools.store, stage: async () => { if ((count -= 1) < 0) throw error; return tools.store.stage() } })
  await t.rejects(importing(found, { tools: { store: failingAt(5, new StorageFull()) } }), { name: 'Refusal', message: /^The storage is full: the import stopped after 5 files, which are kept\. Free some space/ })
  t.strictSame(outcomes(await importing(found)), { imported: 235, there: 5 })
  await t.rejects(importing([attachment('/uploads/x', Buffer.from('x'))], { tools: { store: failingAt(0, new Error('a bug')) } }), { message: 'a bug' })
})

test('what is here of another owner is neither changed nor called there: it is refused, with what to do', async (t) => {
  const { app, as, importing } = await home(t)
  const path = '/uploads/doc.txt'
  await importing([attachment(path, Buffer.from('of alice'), { ownerId: 'alice' }), attachment('/uploads/own.txt', Buffer.from('own'))])
  for (const text of ['of alice', 'BOBS SECRET']) {
    for (const isDryRun of [true, false]) {
      const report = await importing([attachment(path, Buffer.from(text), { ownerId: 'bob', visibility: 'private' })], { isDryRun })
      t.match(report, { outcomes: { refused: { files: 1 } }, listed: [{ ownerId: 'bob', code: 'owner-differs', reason: /^it is here as .* of "alice", and not of "bob": correct the index or --owner, or delete it here and upload it for "bob"$/ }] }, text)
    }
  }
  t.equal((await app.inject({ url: path })).payload, 'of alice')
  const [{ id }] = (await app.inject({ url: '/api/attachments', headers: await as('alice') })).json().attachments
  await app.inject({ method: 'DELETE', url: `/api/attachments/${id}`, headers: await as('alice') })
  t.match(await importing([attachment(path, Buffer.from('BOBS SECRET'), { ownerId: 'bob' })]), { listed: [{ outcome: 'kept', code: 'deleted' }] }, 'an import revives nothing')
})

test('another visibility than asked for stays, and is told', async (t) => {
  const { app, importing, entries } = await home(t)
  const path = '/uploads/a.txt'
  await importing([attachment(path, Buffer.from('a'))])
  for (const text of ['a', 'b']) {
    t.match(await importing([attachment(path, Buffer.from(text), { visibility: 'private' })]), { withNotes: 1 }, text)
    t.match(entries, [{ outcome: text === 'a' ? 'there' : 'changed', notes: [/^it stays public, as it is here, and is not made private: .*PATCH \/api\/attachments/] }], text)
    t.equal((await app.inject({ url: path })).payload, text)
  }
  t.match(await importing([attachment(path, Buffer.from('b'))]), { withNotes: 0 })
})

test('what was kept for nobody known goes to the trash once a user turns up whose picture it is; the old address goes over', async (t) => {
  const { app, as, importing, entries } = await home(t)
  const bytes = await picture('png', { seed: 1 })
  const pictures = ['ada', 'bob', 'eve', 'own', 'tim'].map((user) => avatar(user, bytes))
  await importing(pictures.flatMap(({ paths }) => paths.map((path) => attachment(path, bytes, { isOwnerless: true }))))
  await app.database.client.owner.create({ data: { key: app.storage.hash('owner', 'eve'), epoch: 1 } })
  await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...await as('own'), 'content-type': 'image/png' }, payload: await picture('png', { seed: 2 }) })
  await importing([avatar('tim', bytes, { paths: [] })])
  const twin = avatar('twin', bytes, { paths: ['/i/ada.png'] })
  const planned = await importing([...pictures, twin], { isDryRun: true })
  const plannedEntries = Object.fromEntries(entries.map(({ ownerId, outcome, paths, notes }) => [ownerId, [outcome, paths, notes?.map((note) => note.replace(/stays with .*/, 'stays')) ?? []]]))
  t.equal(await app.database.client.blob.count({ where: { state: 'deleted' } }), 0)

  const done = await importing([...pictures, twin])
  t.strictSame(outcomes(done), { imported: 4, there: 1, kept: 1 })
  t.strictSame(outcomes(planned), outcomes(done))
  t.strictSame(Object.fromEntries(entries.map(({ ownerId, outcome, paths, notes }) => [ownerId, [outcome, paths, notes?.map((note) => note.replace(/stays with .*/, 'stays')) ?? []]])), plannedEntries)
  for (const user of ['ada', 'bob', 'eve', 'own', 'tim']) t.match(entries.find(({ ownerId }) => ownerId === user)?.notes?.at(-1), /^"\/i\/.*\.png" was kept as .* of "archive", which goes to the trash$/, user)
  t.match(entries.find(({ ownerId }) => ownerId === 'ada'), { paths: ['/i/ada.png'] })
  t.match(entries.find(({ ownerId }) => ownerId === 'twin'), { paths: { length: 0 }, notes: [/^"\/i\/ada.png" stays with/] })
  t.equal(await app.database.client.blob.count({ where: { kind: 'attachment', state: 'deleted' } }), 5)
  t.equal(await app.database.client.attachment.count({ where: { deletedAt: null } }), 0)
  t.equal(await app.database.client.blob.count({ where: { sidecarDueAt: { not: null } } }), 0)
  const { blob } = await app.database.client.alias.findUniqueOrThrow({ where: { path: '/i/ada.png' }, include: { blob: true } })
  t.match(blob, { ownerId: 'ada', state: 'live' })
  t.match(await app.storage.store.readSidecar({ kind: 'avatar', id: blob.id as never, extension: 'png' }), { aliases: ['/i/ada.png'] })
  const answers = async () => Promise.all(['ada', 'bob', 'eve', 'own', 'tim'].map(async (user) => (await app.inject({ url: `/i/${user}.png` })).statusCode))
  t.strictSame(await answers(), [200, 200, 404, 200, 200])
  t.strictSame(outcomes(await importing([...pictures, twin])), { there: 5, kept: 1 })
  await app.inject({ method: 'DELETE', url: '/api/users/ada/uploads', headers: await as('root', 'uploads:admin') })
  t.strictSame(await answers(), [404, 200, 404, 200, 200])
})

test('what an index gave an owner stays theirs, whoever has the same picture', async (t) => {
  const { app, importing, entries } = await home(t)
  const bytes = await picture('png')
  await importing([attachment('/i/ada.png', bytes, { ownerId: 'alice' })])
  t.strictSame(outcomes(await importing([avatar('ada', bytes)])), { imported: 1 })
  t.match(entries, [{ paths: { length: 0 }, notes: [/stays with/] }])
  t.equal(await app.database.client.attachment.count({ where: { deletedAt: null, ownerId: 'alice' } }), 1)
})

test('what was kept for nobody known goes to the trash when its owner turns out to be erased', async (t) => {
  const { app, importing } = await home(t)
  const path = '/uploads/a.txt'
  await importing([attachment(path, Buffer.from('a'), { isOwnerless: true })])
  t.match((await importing([attachment(path, Buffer.from('a'), { ownerId: 'bob' })])).listed, [{ code: 'owner-differs' }])
  await app.database.client.owner.create({ data: { key: app.storage.hash('owner', 'bob'), epoch: 1 } })
  t.match((await importing([attachment(path, Buffer.from('a'), { ownerId: 'bob' })])).listed, [{ outcome: 'kept', code: 'erased', notes: [/goes to the trash/] }])
  t.equal((await app.inject({ url: path })).statusCode, 404)
})

test('a picture of no known date never replaces one with a date; what is replaced is told', async (t) => {
  const { app, importing, entries } = await home(t)
  const [dated, undated, newer] = [await picture('png', { seed: 1 }), await picture('png', { seed: 2 }), await picture('png', { seed: 3 })]
  const shown = async (user: string) => (await app.inject({ url: `/api/avatars/${user}` })).rawPayload
  const now = { createdAt: new Date(), isDated: false }
  const m = (user: string, bytes: Buffer, more = {}) => avatar(user, bytes, { source: `m:${user}`, ...more })
  const r = (user: string, bytes: Buffer, more = {}) => avatar(user, bytes, { source: `r:${user}`, paths: [], ...more })

  await importing([m('ada', dated)])
  await importing([r('ada', undated, now)])
  t.match(entries, [{ outcome: 'imported', notes: [/^its date is not known: .* from m:ada stays/] }])
  t.ok((await shown('ada')).equals(dated))

  await importing([r('bob', undated, now)])
  await importing([r('bob', newer, { ...now, source: 'other' })])
  t.match(entries, [{ notes: [/^its date is not known/] }], 'nor one without')
  await importing([m('bob', dated)])
  t.match(entries, [{ outcome: 'imported', notes: ['replaces the picture imported from r:bob, whose date is not known'] }])
  t.ok((await shown('bob')).equals(dated), 'whichever was first')
  await importing([r('bob', newer, { source: 'third', createdAt: new Date('2025-01-01') })])
  t.match(entries, [{ notes: ['replaces the picture imported from m:bob, which is older'] }])
  t.ok((await shown('bob')).equals(newer))

  await importing([r('eve', undated, now)])
  await importing([r('eve', newer, now)])
  t.match(entries, [{ outcome: 'changed', notes: { length: 0 } }])
  t.ok((await shown('eve')).equals(newer), 'of the same source')
})

test('an old path that cannot be imported is closed all the same when it is of somebody erased, unless somebody else names it', async (t) => {
  const { app, importing } = await home(t)
  const { hash } = app.storage
  await app.database.client.owner.create({ data: { key: hash('owner', 'erased'), epoch: 1 } })
  const refused = (ownerId: string, path: string) => ({ source: `test:${ownerId}${path}`, kind: 'avatar', ownerId, paths: [path], code: 'not-named', reason: 'it is not named' } as const)
  const found = [
    refused('erased', '/i/gone.png'), refused('erased', '/i/shared.png'), refused('ada', '/i/shared.png'), refused('erased', '/i/both.png'), avatar('bob', Buffer.from('no picture'), { paths: ['/i/both.png'] }),
    { source: 'test:nobody', code: 'ownerless', reason: 'nobody' } as const,
  ]
  const buried = async () => (await Promise.all(['/i/gone.png', '/i/shared.png', '/i/both.png'].map(async (path) => app.database.client.tombstone.count({ where: { key: hash('path', path) } })))).join()
  await importing(found, { isDryRun: true })
  t.equal(await buried(), '0,0,0')
  t.strictSame(outcomes(await importing(found)), { refused: 6 })
  t.equal(await buried(), '1,0,0')
})
