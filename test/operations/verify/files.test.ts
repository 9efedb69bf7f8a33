import { copyFile, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type Test } from 'tap'
import { silent } from '../../../src/operations/progress.ts'
import type { Context } from '../../../src/operations/verify/context.ts'
import { checkFiles } from '../../../src/operations/verify/files.ts'
import { createFindings } from '../../../src/operations/verify/observed.ts'
import { createInventory } from '../../../src/records/inventory.ts'
import { createJournaled } from '../../../src/records/journaled.ts'
import { openStaging } from '../../../src/storage/volume/staging.ts'
import { createDurable } from '../../../src/storage/volume/durable.ts'
import { withoutRest } from '../../../src/storage/pace.ts'
import { encodeSidecar } from '../../../src/storage/sidecar.ts'
import { publish, sidecarFor } from '../../storage/fixtures/volume.ts'
import { placeFor } from '../fixtures/place.ts'

const later = 10 * 60_000

async function setUp (t: Test) {
  const place = await placeFor(t)
  const { clock, storage } = place
  const said: string[] = []
  const meanwhile = { pauses: [] as number[], happens: async () => {} }
  /** Files were made a while ago, unless a test says otherwise. */
  clock.date = new Date(Date.now() + later)
  async function check ({ waitsForUploads = true, isErased = (): boolean => false, signal = undefined as AbortSignal | undefined, fs = place.fs } = {}) {
    const findings = createFindings()
    const context: Context = {
      ...place, fs, inventory: createInventory(place.client), journaled: createJournaled(place.client), findings, concurrency: 2, pageSize: 2, signal, pace: withoutRest,
      progress: { ...silent, say: (sentence) => { said.push(sentence) } },
      pause: async (ms) => {
        meanwhile.pauses.push(ms)
        clock.date = new Date(clock.date.getTime() + ms)
        await meanwhile.happens()
      },
    }
    await checkFiles(context, { isErased, waitsForUploads })
    mended.list = findings.list.map(({ mend }) => mend)
    return findings.list.map(({ problem, path, detail }) => ({ problem, path, detail }))
  }
  /** What would mend each finding of the last check. */
  const mended = { list: [] as string[] }
  const within = (path: string) => path.slice(place.root.length + 1)
  async function neighbour (): Promise<void> {
    const staging = await openStaging({ fs: place.fs, durable: createDurable({ fs: place.fs, onSyncFailure () {} }), root: place.root, monotonicMs: () => 0 })
    t.teardown(() => staging.close())
  }
  return { ...place, store: storage.store, check, mends: () => mended.list, said, meanwhile, within, neighbour }
}

test('files that rows own are no findings, nor are those of ids that are on their way out', async (t) => {
  const { attachment, check, client, meanwhile } = await setUp(t)
  await attachment('a')
  for (const state of ['purging', 'swept']) {
    const { id } = await attachment('b')
    await client.blob.update({ where: { id }, data: { state } })
  }
  t.same(await check(), [])
  t.same(meanwhile.pauses, [])
})

test('of an id without a row its files say what it is', async (t) => {
  const { store, check, blobPath, sidecarPath, within } = await setUp(t)
  const [whole, bare, damaged, alone, other] = [await publish(store, 'a'), await publish(store, 'b'), await publish(store, 'c'), await publish(store, 'd'), await publish(store, 'e')]
  await rm(sidecarPath(bare))
  await writeFile(sidecarPath(damaged), '{}')
  await rm(blobPath(alone))
  await rename(blobPath(other), blobPath(other).replace('.png', '.gif'))
  const order = [whole, bare, damaged, alone, other].map(({ id }) => id as string)
  const rank = ({ path }: { path: string }) => order.findIndex((id) => path.includes(id))
  t.same((await check()).toSorted((a, b) => rank(a) - rank(b)), [
    { problem: 'row-missing', path: within(blobPath(whole)), detail: 'The file and its sidecar have no record.' },
    { problem: 'blob-undescribed', path: within(blobPath(bare)), detail: 'The file has neither a record nor a sidecar.' },
    { problem: 'blob-undescribed', path: within(blobPath(damaged)), detail: 'The file has no record, and its sidecar is damaged or of another file.' },
    { problem: 'sidecar-alone', path: within(sidecarPath(alone)), detail: 'There is a sidecar, but neither its file nor a record.' },
    { problem: 'sidecar-alone', path: within(sidecarPath(other)), detail: 'There is a sidecar, but neither its file nor a record.' },
    { problem: 'foreign', path: within(blobPath(other)).replace('.png', '.gif'), detail: 'There is a file that no record owns.' },
  ])
})

test('what the ledger calls erased is not for the taking', async (t) => {
  const { store, check } = await setUp(t)
  await publish(store, 'a')
  t.match(await check({ isErased: () => true }), [{ problem: 'erased-present' }])
})

test('two files under one id: the one that is not of the row, or of the sidecar, is foreign', async (t) => {
  const { attachment, store, check, blobPath, within } = await setUp(t)
  const [owned, unowned] = [await attachment('a'), await publish(store, 'b')]
  for (const sidecar of [owned, unowned]) await copyFile(blobPath(sidecar), blobPath({ ...sidecar, extension: 'gif' }))
  t.match((await check()).map(({ problem, path }) => `${problem} ${path}`).sort(), [
    `foreign ${within(blobPath({ ...owned, extension: 'gif' }))}`,
    `foreign ${within(blobPath({ ...unowned, extension: 'gif' }))}`,
    `row-missing ${within(blobPath(unowned))}`,
  ].sort())
})

test('files under the id of a row of the other kind are foreign', async (t) => {
  const { attachment, check, blobPath, sidecarPath, within } = await setUp(t)
  const sidecar = await attachment('a')
  const twin = { ...sidecar, kind: 'avatar' as const }
  await mkdir(dirname(blobPath(twin)), { recursive: true })
  await copyFile(blobPath(sidecar), blobPath(twin))
  await copyFile(sidecarPath(sidecar), sidecarPath(twin))
  t.match(await check(), [{ problem: 'foreign', path: within(blobPath(twin)) }, { problem: 'foreign', path: within(sidecarPath(twin)) }])
})

test('what the gateway never made is foreign, and what lies in a wrong folder is told where it belongs', async (t) => {
  const { attachment, avatar, check, blobPath, within, root } = await setUp(t)
  const [sidecar, face] = [await attachment('a'), await avatar('b')]
  await writeFile(join(root, 'notes.txt'), '')
  await mkdir(join(root, 'backup'))
  await mkdir(join(root, 'avatars/2001/01/02'), { recursive: true })
  await symlink('/etc', join(root, 'avatars/2002'))
  await copyFile(blobPath(sidecar), join(root, 'avatars/2001/01/02', `${face.id}.png`))
  await symlink('/etc', join(root, 'avatars/2001/01/02', `${face.id}.jpg`))
  const told = new Map((await check()).map(({ path, detail }) => [path, detail]))
  t.same(Object.fromEntries(told), {
    'notes.txt': 'There is a file that no record owns.',
    backup: 'There is a folder that no record owns.',
    'avatars/2002': 'There is a symbolic link that no record owns.',
    [`avatars/2001/01/02/${face.id}.png`]: `The file is not where its name belongs, which is ${within(blobPath(face))}.`,
    [`avatars/2001/01/02/${face.id}.jpg`]: 'There is a symbolic link that no record owns.',
  })
})

test('a folder that holds anything is for people to look through: no command removes it', async (t) => {
  const { check, mends, root, faults } = await setUp(t)
  await mkdir(join(root, 'avatars/@eaDir'), { recursive: true })
  t.match([await check(), mends()], [[{ path: 'avatars/@eaDir' }], [/--remove-foreign" do that/]], 'an empty one goes')
  await writeFile(join(root, 'avatars/@eaDir/thumbs'), '')
  t.match([await check(), mends()], [[{ path: 'avatars/@eaDir' }], ['The folder @eaDir is not empty: look through it and remove it by hand.']])
  faults.inject({ on: 'readdir', path: /@eaDir/, errno: 'EACCES', forever: true })
  t.match([await check(), mends()], [[{}], [/remove it by hand/]], 'nor one that nobody can look into')
})

test('what a repair kept aside is told as that', async (t) => {
  const { attachment, check, mends, blobPath, sidecarPath } = await setUp(t)
  const sidecar = await attachment('a')
  const kept = [`${blobPath(sidecar)}.damaged`, `${blobPath(sidecar)}.damaged-2`, `${sidecarPath(sidecar)}.damaged`]
  for (const path of kept.slice(0, 2)) await writeFile(path, '')
  await mkdir(kept[2] ?? '')
  await writeFile(`${blobPath(sidecar)}.damaged-x`, '')
  t.same((await check()).map(({ path, detail }) => [path.slice(path.indexOf('.')), detail]).sort(), [
    ['.bin.damaged', 'A repair kept this file aside when it put the right one in its place: it may be removed.'],
    ['.bin.damaged-2', 'A repair kept this file aside when it put the right one in its place: it may be removed.'],
    ['.bin.damaged-x', 'There is a file that no record owns.'],
    ['.sidecar.json.damaged', 'A repair kept this folder aside when it put the right one in its place: it may be removed.'],
  ])
  t.match(mends(), Array(4).fill(/--remove-foreign" do that/))
})

test('a link in place of a file that a row owns is named with the row, not here', async (t) => {
  const { attachment, store, check, blobPath, sidecarPath, within } = await setUp(t)
  const owned = await attachment('a')
  for (const path of [blobPath(owned), sidecarPath(owned)]) {
    await rm(path)
    await symlink('/etc/passwd', path)
  }
  const unowned = await publish(store, 'b')
  await rm(blobPath(unowned))
  await symlink('/etc/passwd', blobPath(unowned))
  t.match((await check()).map(({ problem, path }) => `${problem} ${path}`).sort(), [`foreign ${within(blobPath(unowned))}`, `sidecar-alone ${within(sidecarPath(unowned))}`].sort())
})

test('what is gone, or has a row, at the second look was an upload about to be recorded', async (t) => {
  const { store, check, meanwhile, client, blobPath, sidecarPath, root } = await setUp(t)
  const [committed, taken] = [await publish(store, 'a'), await publish(store, 'b')]
  await writeFile(join(root, '.write-test'), '')
  meanwhile.happens = async () => {
    meanwhile.happens = async () => {}
    await client.blob.create({ data: { ...rowOf(committed.id), state: 'superseded' } })
    for (const path of [blobPath(taken), sidecarPath(taken), join(root, '.write-test')]) await rm(path)
  }
  t.same(await check(), [])
})

const rowOf = (id: string) => ({ id, kind: 'avatar', extension: 'png', contentType: 'image/png', size: 1n, sha256: '', stateAt: new Date(), createdAt: new Date() })

test('beside a gateway young files are waited for, and those that stay without a row are told', async (t) => {
  const { store, check, said, meanwhile, clock, client, neighbour } = await setUp(t)
  await neighbour()
  const [slow, lost] = [await publish(store, 'a'), await publish(store, 'b')]
  clock.date = new Date()
  meanwhile.happens = async () => {
    if (meanwhile.pauses.length === 2) await client.blob.create({ data: { ...rowOf(slow.id), state: 'superseded' } })
  }
  t.match(await check(), [{ problem: 'row-missing', path: new RegExp(lost.id) }])
  t.match(said, [/waiting \d+ s to be sure/])
  t.ok((meanwhile.pauses[1] ?? 0) > 50_000 && (meanwhile.pauses[1] ?? 0) <= 60_000, 'a minute from when the files got their names')
})

test('where nobody else is nothing is in flight, and old files are not waited for', async (t) => {
  const { store, check, meanwhile, clock, neighbour, said } = await setUp(t)
  await publish(store, 'a')
  clock.date = new Date()
  t.match(await check(), [{ problem: 'row-missing' }])
  await neighbour()
  clock.date = new Date(Date.now() + later)
  t.match(await check(), [{ problem: 'row-missing' }])
  t.same([meanwhile.pauses.length, said.length], [2, 0])
})

test('who does not wait leaves young files to the next check', async (t) => {
  const { store, check, clock, meanwhile } = await setUp(t)
  await publish(store, 'a')
  clock.date = new Date()
  t.same(await check({ waitsForUploads: false }), [])
  t.equal(meanwhile.pauses.length, 1)
  clock.date = new Date(Date.now() + later)
  t.match(await check({ waitsForUploads: false }), [{ problem: 'row-missing' }])
})

test('a sidecar that is of another id, or of another kind, describes nothing', async (t) => {
  const { store, check, sidecarPath } = await setUp(t)
  const sidecar = await publish(store, 'a')
  await writeFile(sidecarPath(sidecar), encodeSidecar(sidecarFor('a')))
  t.match(await check(), [{ problem: 'blob-undescribed' }])
  await writeFile(sidecarPath(sidecar), encodeSidecar({ ...sidecar, kind: 'attachment' }))
  t.match(await check(), [{ problem: 'blob-undescribed' }])
})

test('it ends when it is told to', async (t) => {
  const { attachment, check } = await setUp(t)
  await attachment('a')
  await t.rejects(check({ signal: AbortSignal.abort() }), { name: 'AbortError' })
})

test('a link in the place of a folder of uploads is not said to be removable', async (t) => {
  const { check, mends, root } = await setUp(t)
  await mkdir(join(root, 'avatars'), { recursive: true })
  await symlink('/nowhere', join(root, 'avatars/2020'))
  await symlink('/nowhere', join(root, 'avatars/link'))
  t.match((await check()).map(({ path }) => path), ['avatars/2020', 'avatars/link'])
  t.match(mends(), [/need a real folder there/, /--remove-foreign/])
})

test('a folder may hold any number of foreign files', async (t) => {
  const { check, fs, root } = await setUp(t)
  const entries = Array.from({ length: 200_000 }, (_, index) => ({ name: `${index}.txt`, isFile: () => true, isDirectory: () => false, isSymbolicLink: () => false }))
  const readdir = async (path: string) => path === join(root, 'avatars') ? entries : []
  t.same(await check({ fs: { ...fs, readdir } as never }), [], 'they are gone when they are looked at')
})
