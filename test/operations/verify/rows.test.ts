import { createHash } from 'node:crypto'
import { mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type Test } from 'tap'
import { silent } from '../../../src/operations/progress.ts'
import { createFindings } from '../../../src/operations/verify/observed.ts'
import { checkRows } from '../../../src/operations/verify/rows.ts'
import type { Context } from '../../../src/operations/verify/context.ts'
import { createInventory } from '../../../src/records/inventory.ts'
import { createJournaled } from '../../../src/records/journaled.ts'
import { withoutRest } from '../../../src/storage/pace.ts'
import { encodeSidecar, type Sidecar } from '../../../src/storage/sidecar.ts'
import { placeFor } from '../fixtures/place.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

async function setUp (t: Test) {
  const place = await placeFor(t)
  /** What happens while it waits before it looks again. */
  const meanwhile = { first: async (): Promise<unknown> => undefined, pauses: 0 }
  async function check ({ isHashed = true, isErased = (_: unknown): boolean => false, pageSize = 2, onPage = undefined as ((lastId: string) => Promise<void>) | undefined } = {}) {
    const findings = createFindings()
    const context: Context = {
      ...place, inventory: createInventory(place.client), journaled: createJournaled(place.client), progress: silent, findings, concurrency: 2, pageSize, signal: undefined, pace: withoutRest,
      pause: async () => {
        meanwhile.pauses += 1
        await meanwhile.first()
      },
    }
    const counts = await checkRows(context, { isErased, readsBytes: () => isHashed, onPage })
    return { counts, found: findings.list.map(({ problem, id, detail }) => ({ problem, id, detail })), mends: findings.list.map(({ mend }) => mend) }
  }
  return { ...place, check, meanwhile }
}

test('of rows whose files are right nothing is said, however many pages there are', async (t) => {
  const { attachment, avatar, check, meanwhile } = await setUp(t)
  for (const bytes of ['one', 'two', 'three']) await attachment(bytes)
  await attachment('four', { state: 'deleted' })
  await avatar('face', { state: 'superseded' })
  await avatar('face', { aliases: ['/i/b', '/i/a'] })
  const pages: string[] = []
  const { counts, found } = await check({ onPage: async (id) => { pages.push(id) } })
  t.same(found, [])
  t.same(counts, { records: 6, hashedFiles: 6, hashedBytes: 23, allBytes: 23 })
  t.equal(pages.length, 3)
  t.equal(meanwhile.pauses, 0)
  t.match((await check({ isHashed: false })).counts, { records: 6, hashedFiles: 0, hashedBytes: 0 })
})

test('a blob that is missing, cut off, changed, replaced by something else or unreadable is told', async (t) => {
  const { attachment, check, blobPath, faults } = await setUp(t)
  const [missing, cut, changed, link, folder, sick] = [await attachment('aaaaa'), await attachment('bbbbb'), await attachment('ccccc'), await attachment('ddddd'), await attachment('eeeee'), await attachment('fffff')]
  await rm(blobPath(missing))
  await truncate(blobPath(cut), 3)
  await writeFile(blobPath(changed), 'ccccd')
  for (const one of [link, folder]) await rm(blobPath(one))
  await symlink('/etc/passwd', blobPath(link))
  await mkdir(blobPath(folder))
  faults.inject({ on: 'open', path: new RegExp(`${sick.id}.bin`), errno: 'EIO', forever: true })
  t.same((await check()).found, [
    { problem: 'blob-missing', id: missing.id, detail: 'The file is missing.' },
    { problem: 'blob-size', id: cut.id, detail: 'The file is 3 bytes long; its record says 5.' },
    { problem: 'blob-corrupt', id: changed.id, detail: `The bytes are not those that were uploaded: their sha-256 is ${sha256('ccccd')}, not ${changed.sha256}.` },
    { problem: 'blob-missing', id: link.id, detail: 'In place of the file there is a symbolic link.' },
    { problem: 'blob-missing', id: folder.id, detail: 'In place of the file there is a folder.' },
    { problem: 'blob-unreadable', id: sick.id, detail: `The file cannot be read (EIO: injected, open '${blobPath(sick)}').` },
  ])
})

test('a sidecar that is missing, damaged, no file, too long, or says something else is told', async (t) => {
  const { attachment, check, sidecarPath } = await setUp(t)
  const [missing, damaged, folder, forged, long, empty] = [await attachment('a'), await attachment('b'), await attachment('c'), await attachment('d'), await attachment('e'), await attachment('f')]
  await rm(sidecarPath(missing))
  await writeFile(sidecarPath(damaged), encodeSidecar(damaged).replace('ada', 'bob'))
  await rm(sidecarPath(folder))
  await mkdir(sidecarPath(folder))
  await writeFile(sidecarPath(forged), encodeSidecar({ ...forged, ownerId: 'eve', alt: 'x'.repeat(200) }))
  await writeFile(sidecarPath(long), encodeSidecar(long) + ' '.repeat(2 * 1024 ** 2))
  await writeFile(sidecarPath(empty), '')
  t.match((await check()).found, [
    { problem: 'sidecar-missing', id: missing.id },
    { problem: 'sidecar-damaged', id: damaged.id },
    { problem: 'sidecar-damaged', id: folder.id, detail: 'In place of the sidecar there is a folder.' },
    { problem: 'sidecar-differs', id: forged.id, detail: /ownerId is "eve", in the record "ada"; alt is "x{79}…, in the record null\.$/ },
    { problem: 'sidecar-damaged', id: long.id },
    { problem: 'sidecar-damaged', id: empty.id },
  ])
})

test('a sidecar that cannot be read is told; one that is owed is not asked for', async (t) => {
  const { attachment, check, sidecarPath, faults, ledger } = await setUp(t)
  const [sick, owed] = [await attachment('a'), await attachment('b')]
  faults.inject({ on: 'open', path: new RegExp(`${sick.id}.sidecar`), errno: 'EIO', forever: true })
  await rm(sidecarPath(owed))
  await ledger.oweSidecar(owed.id)
  t.match((await check()).found, [{ problem: 'sidecar-damaged', id: sick.id, detail: /cannot be read \(EIO/ }])
})

test('a whole sidecar of its own that is ahead of its row says that the database is older, also when one is owed', async (t) => {
  const { attachment, check, sidecarPath, ledger, meanwhile, client } = await setUp(t)
  const [ahead, owed, strange, behind] = [await attachment('a'), await attachment('b'), await attachment('c'), await attachment('d', { revision: 3 })]
  for (const one of [ahead, owed]) await writeFile(sidecarPath(one), encodeSidecar({ ...one, state: 'deleted', revision: 2 }))
  await writeFile(sidecarPath(strange), encodeSidecar({ ...ahead, revision: 2 }))
  await writeFile(sidecarPath(behind), encodeSidecar({ ...behind, revision: 2 }))
  await ledger.oweSidecar(owed.id)
  const { found, mends } = await check()
  t.match(found, [ahead, owed, strange, behind].map(({ id }) => ({ problem: 'sidecar-differs', id })))
  t.match(found[0]?.detail, /state is "deleted", in the record "live"; revision is 2, in the record 1/)
  t.match(mends, [/^The database is older than the volume: stop the gateway and run "upload-gateway rebuild", which takes the volume's word\.$/, /older/, /the record counts/, /the record counts/])
  for (const one of [strange, behind]) await writeFile(sidecarPath(one), encodeSidecar(one))
  meanwhile.first = () => client.blob.updateMany({ where: { id: { in: [ahead.id, owed.id] } }, data: { revision: 2, state: 'deleted', sidecarDueAt: null } })
  t.match((await check()).found.filter(({ problem }) => problem === 'sidecar-differs'), { length: 0 }, 'a change that was being settled')
})

test('aliases in another order say the same', async (t) => {
  const { avatar, check, sidecarPath } = await setUp(t)
  const sidecar = await avatar('a', { aliases: ['/i/a', '/i/b'] })
  await writeFile(sidecarPath(sidecar), encodeSidecar({ ...sidecar, aliases: ['/i/b', '/i/a'] }))
  t.same((await check()).found, [])
})

test('files behind a folder that is a link count as missing', async (t) => {
  const { attachment, check, blobPath, root } = await setUp(t)
  const sidecar = await attachment('a')
  const day = dirname(blobPath(sidecar))
  await rename(day, join(root, 'elsewhere'))
  await symlink(join(root, 'elsewhere'), day)
  t.match((await check()).found, [{ problem: 'blob-missing', detail: /attachments\/\d{4}\/\d\d\/\d\d is a link, or no folder/ }])
})

test('what the ledger calls erased, what contradicts itself, and what cannot have a file, is told', async (t) => {
  const { attachment, avatar, check, client } = await setUp(t)
  const erased = await attachment('a', { ownerId: 'gone' })
  const torn = await avatar('b')
  await client.avatar.deleteMany()
  const strange = await attachment('c')
  await client.blob.update({ where: { id: strange.id }, data: { extension: '../x' } })
  const { found } = await check({ isErased: (blob) => (blob as Sidecar).ownerId === 'gone' })
  t.match(found, [
    { problem: 'erased-present', id: erased.id },
    { problem: 'row-inconsistent', id: torn.id },
    { problem: 'row-inconsistent', id: strange.id, detail: /extension is none .* cannot have a file/ },
  ])
})

test('what is right at a second look was a request at work: a purge, a change, a settling', async (t) => {
  const { attachment, check, blobPath, sidecarPath, client, meanwhile, store } = await setUp(t).then((place) => ({ ...place, store: place.storage.store }))
  const purged = await attachment('a')
  const lagging = await attachment('b')
  await rm(blobPath(purged))
  await rm(sidecarPath(lagging))
  meanwhile.first = async () => {
    meanwhile.first = async () => {}
    await client.blob.update({ where: { id: purged.id }, data: { state: 'purging' } })
    await store.writeSidecar(lagging)
  }
  t.same((await check()).found, [])
  t.equal(meanwhile.pauses, 1)
})

test('a row that is another at each look is being worked on; what settles wrong is told', async (t) => {
  const { attachment, check, sidecarPath, client, meanwhile } = await setUp(t)
  const busy = await attachment('a')
  await rm(sidecarPath(busy))
  const change = () => client.blob.update({ where: { id: busy.id }, data: { revision: { increment: 1 } } })
  meanwhile.first = change
  t.same((await check()).found, [])
  t.equal(meanwhile.pauses, 5)
  meanwhile.pauses = 0
  meanwhile.first = async () => { if (meanwhile.pauses === 1) await change() }
  t.match((await check()).found, [{ problem: 'sidecar-missing', id: busy.id }])
  t.equal(meanwhile.pauses, 2)
})

test('it ends when it is told to', async (t) => {
  const { attachment, root, fs, client, storage, now } = await setUp(t)
  await attachment('a')
  const context: Context = { root, fs, storage, now, isOwn: () => false, inventory: createInventory(client), journaled: createJournaled(client), progress: silent, findings: createFindings(), concurrency: 1, pageSize: 1, signal: AbortSignal.abort(), pace: withoutRest, pause: async () => {} }
  await t.rejects(checkRows(context, { isErased: () => false, readsBytes: () => true }), { name: 'AbortError' })
})

test('of a file of another length its bytes say whose it is, also when they are not read otherwise', async (t) => {
  const { attachment, check, blobPath, root, fs, client, storage, now } = await setUp(t)
  await truncate(blobPath(await attachment('aaaaa')), 3)
  t.match((await check({ isHashed: false })).found, [{ problem: 'blob-size' }])
  const findings = createFindings()
  const context: Context = { root, fs, storage, now, isOwn: () => false, inventory: createInventory(client), journaled: createJournaled(client), progress: silent, findings, concurrency: 1, pageSize: 1, signal: undefined, pace: withoutRest, pause: async () => {} }
  await checkRows(context, { isErased: () => false, readsBytes: () => false })
  t.match(findings.list, [{ actual: sha256('aaa') }])
})
