import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { linkSecretName } from '../../../src/callers/signer.ts'
import { databaseAddress } from '../../../src/config.ts'
import { explain, type ExplainConfig } from '../../../src/operations/explain/explain.ts'
import { silent } from '../../../src/operations/progress.ts'
import { openSecrets, secretKeyPrefix } from '../../../src/records/secrets.ts'
import { createVolumeRecord } from '../../../src/records/volume.ts'
import { encodeSidecar } from '../../../src/storage/sidecar.ts'
import { blobPath, sidecarPath } from '../../../src/storage/volume/layout.ts'
import { databaseUrlFor, isOnPostgres, onSqliteOnly } from '../../fixtures/database-server.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { build, multipart, picture } from '../../helper.ts'
import { sidecarFor } from '../../storage/fixtures/volume.ts'

const day = 86_400_000

async function setUp (t: Test) {
  const gateway = await build(t)
  const { app, as, folder } = gateway
  const { client } = app.database
  const config: ExplainConfig = { uploadsDir: folder, database: databaseAddress(await databaseUrlFor(t, folder), folder), databaseFile: join(folder, 'database', 'gateway.sqlite'), erasureLedger: undefined, trashRetentionMs: 30 * day, readThroughDirs: [], linkSecrets: undefined }
  const put = async (user: string, seed = 0) => (await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...await as(user), 'content-type': 'image/jpeg' }, payload: await picture('jpeg', { seed }) })).json()
  const attach = async (visibility = 'private', fields: Array<[string, string]> = []) => {
    const form = await multipart([['visibility', visibility], ...fields, ['file', { bytes: 'hello', filename: 'a.txt' }]])
    return (await app.inject({ method: 'POST', url: '/api/attachments', ...form, headers: { ...form.headers, ...await as('ada') } })).json().attachments[0]
  }
  const upload = async (user: string) => {
    const form = await multipart([['file', { bytes: await picture('png'), filename: 'me.png' }]])
    return (await app.inject({ method: 'POST', url: '/api/upload/avatar', ...form, headers: { ...form.headers, ...await as(user) } })).json().data.path
  }
  return {
    ...gateway, config, put, attach, upload,
    remove: async (url: string, user: string) => app.inject({ method: 'DELETE', url, headers: await as(user) }),
    ask: (asked: string, others: Partial<ExplainConfig> = {}) => explain({ ...config, ...others }, asked),
    blob: (path: string) => join(folder, path),
    execute: async (...statements: string[]) => {
      for (const statement of statements) await client.$executeRawUnsafe(statement)
    },
  }
}

t.test('what is served is said to be, by every name it has; and nothing is written', async (t) => {
  const { ask, put, attach, upload, folder } = await setUp(t)
  const { version, sha256, versionedUrl } = await put('ada')
  const [open, closed] = [await attach('public'), await attach()]
  const path = await upload('kim')
  const before = readdirSync(folder, { recursive: true }).filter((name) => !/-(wal|shm)$/.test(String(name))).sort()
  for (const asked of [version, sha256, versionedUrl, '/api/avatars/ada', 'https://x/api/auth/avatar/ada', 'ada']) {
    t.match(await ask(asked), { isServed: true, audience: 'anyone', verdict: /^It is served: image\/jpeg, \d+ bytes, to anyone; the file is whole\.$/, blobs: [{ id: version, record: { ownerId: 'ada', isCurrentAvatar: true }, file: { isWhole: true, sha256 }, sidecar: { is: 'whole', differences: { length: 0 } }, purgedAfter: null }], owner: { id: 'ada', currentAvatar: version, uploads: 3 }, unknown: { length: 0 } }, asked)
  }
  t.match(await ask(open.id), { isServed: true, audience: 'anyone', meaning: `an id: the attachment ${open.id}` })
  t.match(await ask(closed.url), { isServed: true, audience: 'its owner and services', verdict: /to its owner and services/ })
  t.match(await ask(path), { isServed: true, audience: 'anyone', blobs: [{ record: { aliases: [path], ownerId: 'kim' } }], oldPath: { hasTombstone: false, oldFile: null } })
  t.strictSame(readdirSync(folder, { recursive: true }).filter((name) => !/-(wal|shm)$/.test(String(name))).sort(), before)
})

t.test('who may see a private attachment beside its owner is told: readers, and how many links stand', async (t) => {
  const { app, as, ask, attach } = await setUp(t)
  const link = async (id: string, expiresIn: number) => (await app.inject({ method: 'POST', url: `/api/attachments/${id}/links`, headers: await as('ada'), payload: { expiresIn } })).json()
  const read = await attach('private', [['readers', 'bob,kim']])
  t.match(await ask(read.id), { isServed: true, audience: 'its owner, its readers and services', verdict: /to its owner, its readers and services; the file is whole/, blobs: [{ record: { readers: ['bob', 'kim'] } }], standingLinks: { count: 0, until: null } })
  const linked = await attach()
  const { expiresAt } = await link(linked.id, 7200)
  const { id: revoked } = await link(linked.id, 9000)
  await link(linked.id, 3600)
  await app.inject({ method: 'DELETE', url: `/api/attachments/${linked.id}/links/${revoked}`, headers: await as('ada') })
  t.match(await ask(linked.id), { audience: 'its owner, services and whoever has a link', standingLinks: { count: 2, until: expiresAt } })
  await link(read.id, 3600)
  t.match(await ask(read.id), { audience: 'its owner, its readers, services and whoever has a link' })
  const open = await attach('public')
  await link(open.id, 3600)
  t.match(await ask(open.id), { audience: 'anyone', standingLinks: { count: 1 } })
})

t.test('a link says what it opens, until when, and why not any more; what opens it is not shown', async (t) => {
  const { app, as, ask, attach, execute, config, remove } = await setUp(t)
  const { id } = await attach()
  const make = async (expiresIn = 3600): Promise<{ id: string, url: string, expiresAt: string }> => (await app.inject({ method: 'POST', url: `/api/attachments/${id}/links`, headers: await as('ada'), payload: { expiresIn } })).json()
  const link = await make()
  const token = new URL(link.url).pathname.split('/')[3] ?? ''
  const asked = async (url: string, others: Partial<ExplainConfig> = {}, now = new Date()) => {
    const explanation = await explain({ ...config, ...others }, url, { now: () => now })
    t.notMatch(JSON.stringify(explanation), token)
    return explanation
  }
  for (const url of [link.url, `https://other.example/api/links/${token}?download=true`]) {
    t.match(await asked(url), { isServed: true, audience: 'whoever has the link', meaning: `a link: the attachment ${id}`, verdict: /^It is served: text\/plain.* to whoever has the link, until 20\d\d-\d\d-\d\d [\d:]+ UTC; the file is whole\.$/, link: { is: 'standing', id: link.id, attachmentId: id, creatorId: 'ada', expiresAt: link.expiresAt, revokedAt: null }, unknown: { length: 0 } })
  }
  t.match(await asked(link.url, {}, new Date(Date.now() + 3_700_000)), { isServed: false, audience: 'nobody', verdict: new RegExp(`^404: this link to the attachment ${id} expired on .*UTC\\.$`), link: { is: 'expired' } })
  t.match(await asked(link.url, { database: { kind: 'sqlite', file: '/nowhere/x' }, linkSecrets: ['s'.repeat(32)] }), { isServed: false, verdict: /^The database cannot be read/ })

  const changed = `/api/links/${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}/a.txt`
  t.match(await asked(changed), { isServed: false, asked: '/api/links/.../a.txt', meaning: 'a link', verdict: /^404: the gateway did not make this link as it is\./, link: { is: 'forged', id: null }, blobs: { length: 0 } })
  t.match(await asked(link.url, { linkSecrets: ['another key'.repeat(4)] }), { link: { is: 'forged' } })
  t.match(await asked(`/api/links/${token.slice(1)}`), { link: { is: 'forged' } })
  for (const spelling of [`/api/%6Cinks/${token}`, `/api/links%2F${token}`]) t.match(await asked(spelling), { link: { is: 'standing' } })
  for (const spelling of [`/api/links//${token}`, `https://h/gateway/api/links/${token}/a.txt`, `//h/api/links/${token}`, `/API/LINKS/${token}`]) t.match(await asked(spelling), { link: null, verdict: /links\/+\.\.\./i })

  const secrets = openSecrets(app.database, config.databaseFile)
  const key = await secrets.find(linkSecretName) ?? ''
  if (isOnPostgres) await execute(`DELETE FROM "Setting" WHERE "key" = '${secretKeyPrefix}${linkSecretName}'`)
  else rmSync(secrets.placeOf(linkSecretName))
  t.match(await asked(link.url), { isServed: true, link: { is: 'standing' }, unknown: [/^Whether the gateway signed the link: LINK_SECRET is not set, and there is no .*link\.secret( in the database)?\.$/] }, 'without the key its record says it')
  t.equal(await secrets.find(linkSecretName), undefined, 'none is made')
  t.match(await asked(`/api/links/${'-'.repeat(72)}`), { link: { is: 'forged' } })
  const bytes = Buffer.from(token, 'base64url')
  bytes.writeUIntBE(link.id.length, 16, 6)
  t.match(await asked(`/api/links/${bytes.toString('base64url')}`), { link: { is: 'forged' } }, 'it ends at another time than its record')
  t.ok(await secrets.keep(linkSecretName, key))

  await app.inject({ method: 'DELETE', url: `/api/attachments/${id}/links/${link.id}`, headers: await as('ada') })
  t.match(await asked(link.url), { isServed: false, verdict: new RegExp(`^404: this link to the attachment ${id} was revoked on .*UTC\\.$`), link: { is: 'revoked', revokedAt: String } })
  const other = await make()
  await remove(`/api/attachments/${id}`, 'ada')
  t.match(await ask(other.url), { isServed: false, verdict: /^404 because it was deleted on/, link: { is: 'standing' } })
  await execute('DELETE FROM "Link"')
  t.match(await ask(other.url), { isServed: false, verdict: /^404: there is no record of this link:/, link: { is: 'unknown', attachmentId: null } })
})

t.test('an attachment that has expired is said to have, before and after it goes to the trash', async (t) => {
  const { app, ask, attach, config } = await setUp(t)
  const { id, expiresAt } = await attach('private', [['expiresAt', new Date(Date.now() + 60_000).toISOString()]])
  t.match(await ask(id), { isServed: true })
  const time = `${expiresAt.slice(0, 19).replace('T', ' ')} UTC`
  t.match(await explain(config, id, { now: () => new Date(Date.now() + 60_001) }), { isServed: false, verdict: `404 because it expired on ${time}. A gateway at work moves it to the trash within a minute; from there "upload-gateway trash restore ${id}" brings it back.` })
  await app.database.client.$transaction([
    app.database.client.attachment.update({ where: { id }, data: { deletedAt: new Date(Date.now() + 90_000) } }),
    app.database.client.blob.updateMany({ where: { attachment: { id } }, data: { state: 'deleted', stateAt: new Date(Date.now() + 90_000) } }),
  ])
  t.match(await ask(id), { isServed: false, verdict: new RegExp(`^404 because it was deleted on .* UTC, as it had expired on ${time}; it can be restored until`) })
})

t.test('what was deleted says since when, and how and until when it can be restored', async (t) => {
  const { ask, put, attach, remove } = await setUp(t)
  const { version, versionedUrl } = await put('ada')
  await put('ada', 1)
  t.match(await ask(versionedUrl), { isServed: true, blobs: [{ record: { state: 'superseded' }, purgedAfter: String }] }, 'a replaced one is served still')
  await remove('/api/avatars/me', 'ada')
  const current = await ask('/api/avatars/ada')
  t.match(current, { isServed: false, audience: 'nobody', verdict: /^404 because it was deleted on \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC; it can be restored until .* with "upload-gateway trash restore [0-9a-f-]{36}"\.$/ })
  const [blob] = current.blobs
  t.equal(new Date(blob?.purgedAfter ?? '').getTime() - new Date(blob?.record?.stateAt ?? '').getTime(), 30 * day)
  t.match(await ask(version), { isServed: false, verdict: /owner removed their picture after it had been replaced/ })
  const { id } = await attach('private', [['expiresAt', new Date(Date.now() + day).toISOString()]])
  await remove(`/api/attachments/${id}`, 'ada')
  t.match(await ask(id), { isServed: false, verdict: new RegExp(`deleted on [-\\d]+ [:\\d]+ UTC; it can.*trash restore ${id}"`) })
})

t.test('a file that is missing, damaged, unreadable or no file at all is found by reading it', async (t) => {
  const { ask, put, blob } = await setUp(t)
  const { version } = await put('ada')
  const path = blob((await ask(version)).blobs[0]?.file.path ?? '')
  const bytes = readFileSync(path)
  const flipped = Buffer.from(bytes)
  flipped[100] = (flipped[100] ?? 0) ^ 1
  writeFileSync(path, flipped)
  t.match(await ask('ada'), { isServed: false, verdict: /served damaged.*other bytes than were uploaded.*audit --repair.*--from BACKUP/ })
  writeFileSync(path, bytes.subarray(1))
  t.match(await ask('ada'), { isServed: false, verdict: /bytes instead of/ })
  rmSync(path)
  t.match(await ask('ada'), { isServed: false, verdict: /^503: .*is missing.*--from BACKUP/ })
  mkdirSync(path)
  t.match(await ask('ada'), { isServed: false, verdict: /not a file but a folder/ })
})

t.test('a sidecar that differs or is damaged is told, though the file is served', async (t) => {
  const { ask, put, folder, execute } = await setUp(t)
  const { version } = await put('ada')
  const [blob] = (await ask(version)).blobs
  const path = sidecarPath(folder, { kind: 'avatar', id: version })
  const whole = readFileSync(path, 'utf8')
  const { checksum, ...said } = JSON.parse(whole)
  t.match(checksum, /^sha256:/)
  writeFileSync(path, encodeSidecar({ ...said, creatorId: 'eve' }))
  t.match(await ask(version), { isServed: true, verdict: /sidecar differs in creatorId/ })
  writeFileSync(path, 'damaged')
  t.match(await ask(version), { isServed: true, verdict: /sidecar is damaged: "upload-gateway audit --repair"/ })
  rmSync(path)
  t.match(await ask(version), { isServed: true, verdict: /sidecar is missing/ })
  writeFileSync(path, whole)
  await execute(`UPDATE "Blob" SET revision = 2, "sidecarDueAt" = '${new Date().toISOString()}' WHERE id = '${blob?.id}'`)
  t.match(await ask(version), { isServed: true, verdict: /the file is whole\.$/, blobs: [{ record: { isSidecarDue: true }, sidecar: { differences: ['revision'] } }] })
})

t.test('files without a record are found on the volume', async (t) => {
  const { ask, config, put, execute, folder } = await setUp(t)
  const { version } = await put('ada')
  await execute('DELETE FROM "Avatar"', 'DELETE FROM "Blob"')
  t.match(await ask(version), { isServed: false, verdict: /no record of it.*audit --repair/, blobs: [{ record: null, file: { isWhole: true }, sidecar: { is: 'whole' } }] })
  rmSync(sidecarPath(folder, { kind: 'avatar', id: version }))
  t.match(await ask(version), { isServed: false, verdict: /its sidecar is missing/ })
  const alone = sidecarFor('x')
  mkdirSync(join(sidecarPath(folder, alone), '..'), { recursive: true })
  writeFileSync(sidecarPath(folder, alone), encodeSidecar(alone))
  t.match(await ask(alone.id), { isServed: false, verdict: /only the sidecar/ })
  writeFileSync(blobPath(folder, alone), 'y')
  t.match(await ask(alone.id), { isServed: false, verdict: /its sidecar is not of these bytes/ })
  const steps: string[] = []
  t.match(await explain(config, '019aa1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b', { progress: { ...silent, step: (name) => { steps.push(name) } } }), { isServed: false, verdict: /no record of it, no file or sidecar of that id on the volume, and no whole sidecar of the day in which the id was made that names it\.$/, blobs: { length: 0 } })
  t.strictSame(steps, ['Listing the attachments of the day of the id', 'Reading their sidecars'], 'it says what takes long')
  t.match(await ask('a'.repeat(64)), { isServed: false, verdict: /No file with this content/ })
})

t.test('states on the way out, and rows that contradict themselves, are told', async (t) => {
  const { ask, put, execute } = await setUp(t)
  const { version, versionedUrl } = await put('ada')
  t.match(await ask(versionedUrl.replace('/ada/', '/bob/')), { isServed: false, verdict: /not one of bob, but of ada/ })
  for (const [state, verdict] of [['purging', /on its way out for good/], ['swept', /never acknowledged/]] as const) {
    await execute(`UPDATE "Blob" SET state = '${state}'`)
    t.match(await ask(version), { isServed: false, verdict })
  }
  await execute('UPDATE "Blob" SET state = \'pending\'')
  t.match(await ask(version), { isServed: false, verdict: /its record contradicts itself.*verify/ })
  await execute('UPDATE "Blob" SET state = \'pending\', "ownerId" = NULL')
  t.match(await ask(`/api/avatars/ada/${version}`), { isServed: false, verdict: /but nobody's yet/ })
  t.match(await ask(version), { isServed: false, meaning: 'an id', verdict: /does not fit this address/ })
  await execute(`INSERT INTO "Alias" VALUES ('/i/p/1.jpg', '${version}')`)
  t.match(await ask(version), { isServed: true, meaning: /older client knows as \/i\/p\/1\.jpg/ }, 'a pending one is served under its old URL')
})

t.test('an embedded account is found by its e-mail address, in whatever spelling', async (t) => {
  const { app, ask, put, attach, execute } = await setUp(t)
  const register = async (email: string) => (await app.inject({ method: 'POST', url: '/api/auth/register', payload: { email, password: 'correct horse battery' } })).json().user.id
  const [id, kim] = [await register('ada@example.com'), await register('kim+x@example.com')]
  for (const asked of ['ada@example.com', ' Ada@Example.COM']) {
    t.match(await ask(asked), { isServed: false, asked, meaning: `${asked.trim()} is the account ${id}: the user ${id}, and their current avatar`, verdict: `404: ${id} has an embedded account, but no avatar, and no uploads.`, owner: { id, hasAccount: true, uploads: 0 } })
  }
  t.match(await ask('kim+x@example.com'), { meaning: `kim+x@example.com is the account ${kim}: the user ${kim}, and their current avatar`, owner: { id: kim } })
  t.match(await ask(id), { verdict: /has an embedded account/, owner: { hasAccount: true } }, 'and by its id')
  t.match(await ask('eve@example.com'), { isServed: false, verdict: /^404: there is no record of anything of a user eve@example\.com, and no embedded account has that e-mail address\. It was looked for as a user's id; /, owner: { id: 'eve@example.com', hasAccount: false } })
  t.match(await ask('eve+x@example.com'), { isServed: false, verdict: '404: no embedded account has the e-mail address eve+x@example.com.', meaning: 'the e-mail address eve+x@example.com', owner: null })
  t.match(await ask('ada@example.com', { database: { kind: 'sqlite', file: '/nowhere/x' } }), { verdict: /The database cannot be read/ })

  await put(id)
  t.match(await ask('ada@example.com'), { isServed: true, meaning: /is the account/ })
  t.match(await ask('/api/avatars/ada@example.com'), { isServed: false, verdict: /no record of anything of a user ada@example\.com\.$/ }, 'an address is about nobody but who it names')
  await attach()
  await execute('UPDATE "Blob" SET "ownerId" = \'ada@example.com\' WHERE "ownerId" = \'ada\'')
  t.match(await ask('ada@example.com'), { meaning: 'the user ada@example.com, and their current avatar', verdict: '404: ada@example.com has no avatar now.' }, 'an id that has uploads is itself')
})

t.test('who is a user, and has no avatar', async (t) => {
  const { ask, attach, execute } = await setUp(t)
  t.match(await ask('nobody'), { isServed: false, verdict: "404: there is no record of anything of a user nobody. It was looked for as a user's id; what can be given is the id of a file or an attachment, a user's id, the e-mail address of an embedded account, a URL or its path, or a sha-256 in hex.", owner: { uploads: 0 } })
  t.match(await ask('/api/avatars/nobody'), { isServed: false, verdict: '404: there is no record of anything of a user nobody.' }, 'an address can mean nothing else')
  await attach()
  t.match(await ask('ada'), { isServed: false, verdict: /ada has no avatar now/ })
  const id = '9b2f7c3d-7c3d-4e4f-8a5b-6c7d8e9f0a1b'
  await execute(`UPDATE "Blob" SET "ownerId" = '${id}'`)
  t.match(await ask(id), { meaning: `an id: the user ${id}, and their current avatar`, verdict: /has no avatar now/ })
})

t.test('the id of a user says the same as the URL of their avatar, whatever the id looks like', async (t) => {
  const { ask, put, remove, execute } = await setUp(t)
  for (const id of ['9b2f7c3d-7c3d-4e4f-8a5b-6c7d8e9f0a1b', '019aa1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b', '9B2F7C3D-7C3D-4E4F-8A5B-000000000000']) {
    const same = async (verdict: RegExp) => {
      const { meaning, asked, ...answer } = await ask(id)
      // Of an id alone, also what else may be given.
      const byId = { ...answer, verdict: answer.verdict.replace(/ It was looked for as a user's id; .*/, '') }
      const byUrl = await ask(`/api/avatars/${id}`)
      t.match(byId, { verdict }, id)
      t.strictSame(byId, { ...byId, verdict: byUrl.verdict, isServed: byUrl.isServed, audience: byUrl.audience, blobs: byUrl.blobs, owner: byUrl.owner })
    }
    await put(id)
    await same(/^It is served/)
    await remove('/api/avatars/me', id)
    await same(/deleted on .*trash restore/)
    await execute('DELETE FROM "Avatar"', 'DELETE FROM "Blob"')
    if (!id.startsWith('019')) await same(/no record of anything of a user/)
  }
})

t.test('an attachment whose record is lost is found by what the sidecars of its day say', async (t) => {
  const { ask, attach, execute } = await setUp(t)
  const { id, url } = await attach()
  const [blob] = (await ask(id)).blobs
  await execute('DELETE FROM "Attachment"', 'DELETE FROM "Blob"')
  for (const asked of [id, url]) t.match(await ask(asked), { isServed: false, verdict: /no record of it.*audit --repair/, blobs: [{ id: blob?.id, record: null, file: { isWhole: true }, sidecar: { is: 'whole' } }] })
})

t.test('what this user may not read is not called lost', async (t) => {
  const { put, config } = await setUp(t)
  const { version, sha256 } = await put('ada')
  const denied = (fault: { on: 'open' | 'readFile' | 'readdir', path: RegExp, errno?: string, nth?: number }, others: Partial<ExplainConfig> = {}, asked: string = version) => {
    const faults = createFaults()
    faults.inject({ errno: 'EACCES', forever: true, ...fault })
    return explain({ ...config, ...others }, asked, { fs: faults.fs })
  }
  const none = { database: { kind: 'sqlite', file: '/nowhere/gateway.sqlite' } } as const
  await t.rejects(denied({ on: 'open', path: /nowhere/ }, none), { name: 'Refusal', message: '/nowhere/gateway.sqlite may not be read by this user (EACCES). Run this as the user that runs the gateway.' })
  await t.rejects(denied({ on: 'readFile', path: /upload-gateway\.json/, errno: 'EPERM' }), { name: 'Refusal', message: /upload-gateway\.json may not be read by this user \(EPERM\)/ })
  for (const asked of [version, '019aa1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b']) await t.rejects(denied({ on: 'readdir', path: /avatars/ }, none, asked), { name: 'Refusal', message: /avatars.* may not be read/ })
  t.match(await denied({ on: 'open', path: /\.jpg$/ }, {}, sha256), { isServed: false, verdict: /^It is not known whether it is served: .*\.jpg may not be read by this user \(EACCES[^)]*\)\. Run this as/ })
  t.match(await denied({ on: 'open', path: /sidecar\.json$/ }), { isServed: true, verdict: /Its sidecar is unreadable: "upload-gateway verify" says more\.$/ })
})

t.test('erasures and tombstones are told', async (t) => {
  const { ask, app, as, put, upload, execute, folder } = await setUp(t)
  const path = await upload('ada')
  t.equal((await app.inject({ method: 'DELETE', url: '/api/users/ada/uploads', headers: await as('root', 'uploads:admin') })).statusCode, 200)
  t.match(await ask('ada'), { isServed: false, verdict: /uploads of ada were erased on/, owner: { erasedAt: String } })
  t.match(await ask(path), { isServed: false, verdict: /was here and has been removed for good/, oldPath: { hasTombstone: true } })
  await put('ada')
  t.match(await ask('ada'), { isServed: true }, 'what came after the erasure is not erased')
  await execute('UPDATE "Blob" SET epoch = 0')
  t.match(await ask('ada'), { isServed: false, verdict: /should not be: its owner was erased on/ })
  rmSync(join(folder, 'erasures.ndjson'))
  await execute('DELETE FROM "Avatar"', 'DELETE FROM "Blob"')
  t.match(await ask('ada'), { isServed: false, verdict: /had one here, which was removed for good/ })
})

t.test('an old path that is not imported yet is found in the older system\'s folder', async (t) => {
  const { ask } = await setUp(t)
  const old = t.testdir({ i: { p: { 'a.png': 'bytes' } } })
  t.match(await ask('/i/p/a.png', { readThroughDirs: [join(old, 'none'), old] }), { isServed: true, verdict: /older system's folder, as .*\/i\/p\/a\.png/ })
  t.match(await ask('/i/p/b.png', { readThroughDirs: [old] }), { isServed: false, verdict: /no file is known here.*unless its user decided otherwise/ })
  t.match(await ask('/docs'), { isServed: false, verdict: /no address of a file/ })
})

t.test('what cannot be read does not hide the rest', async (t) => {
  const { ask, put, folder, config, app } = await setUp(t)
  const { version } = await put('ada')
  const faults = createFaults()
  faults.inject({ on: 'readFile', path: /erasures/, errno: 'EIO' })
  t.match(await explain(config, version, { fs: faults.fs }), { isServed: true, unknown: [/ledger cannot be read.*EIO/] })
  const { claim } = app.storage
  const { id } = await createVolumeRecord(app.database.client).claimant({ name: '', onlyReads: true })
  await claim.assign({ id: 'another', name: 'PostgreSQL at db' })
  t.match(await ask(version), { isServed: true, unknown: [/^What was uploaded or changed since this database was copied: \S+ \S+ belongs to another database: since \S+ to PostgreSQL at db\.$/] })
  await claim.assign({ id, name: 'own' })
  await app.close()
  writeFileSync(join(folder, 'upload-gateway.json'), '{')
  t.match(await ask(version), { isServed: true, unknown: [/identity of the volume .* cannot be read/] })
  rmSync(join(folder, 'upload-gateway.json'))
  t.match(await ask(version), { isServed: true, unknown: [/no identity file/] })
})

t.test('a database that is damaged, or not there, does not hide what is on the volume', { skip: onSqliteOnly }, async (t) => {
  const { ask, put, folder, config, app } = await setUp(t)
  const { version } = await put('ada')
  await app.close()
  writeFileSync(config.databaseFile, 'no database '.repeat(1000))
  t.match(await ask(version), { isServed: false, verdict: /database cannot be read, so the gateway does not answer at all \(.*not a database.*rebuild/, blobs: [{ file: { isWhole: true } }] })
  rmSync(config.databaseFile)
  t.match(await ask('ada'), { isServed: false, verdict: /database cannot be read/ })
  t.notOk(readdirSync(join(folder, 'database')).includes('gateway.sqlite'), 'none is made')
})
