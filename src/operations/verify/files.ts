// Files that no row owns: uploads whose record is gone, what lies under a wrong name or in a wrong place, and what the gateway never made.
import { basename, dirname, join, relative } from 'node:path'
import type { Item, Known } from '../../records/inventory.ts'
import { asBlobId, type BlobId } from '../../storage/ids.ts'
import type { Sidecar } from '../../storage/sidecar.ts'
import { inspect } from '../../storage/volume/inspect.ts'
import { blobPath, dayFolder, isFolderOfUploads, parseName, sidecarPath } from '../../storage/volume/layout.ts'
import { scanVolume, type ForeignEntry, type FoundBlob } from '../../storage/volume/scan.ts'
import type { Problem } from '../finding.ts'
import { lookAgainMs, type Context } from './context.ts'
import type { IsErased } from './erased.ts'
import { lookThrough, maxFindings, mends, unlinkFolder, type Observed } from './observed.ts'
import { readSidecarFile } from './rows.ts'

const idsPerQuery = 500

/**
 * Between its files' last rename and its commit, an upload looks like files without a record. Nothing takes longer there
 * than the other files of its request and the turn of its transaction.
 */
export const inFlightMs = 60_000

type Options = {
  readonly isErased: IsErased
  /** Whether files that are too young to tell are waited for, or left to the next check. */
  readonly waitsForUploads: boolean
}

export async function checkFiles (context: Context, { isErased, waitsForUploads }: Options): Promise<void> {
  const { unknown, foreign } = await collect(context)
  if (unknown.length + foreign.length === 0) return
  await context.pause(lookAgainMs)
  const standing = waitsForUploads ? await outwaited(context, unknown) : await settled(context, unknown)
  for (const found of standing) {
    await context.pace(context.signal)
    context.findings.add(...await describe(context, found, isErased))
  }
  for (const entry of foreign) {
    await context.pace(context.signal)
    if (await isStillThere(context, entry)) context.findings.add(await lookedInto(context, foreignFinding(context.root, entry), entry))
  }
}

/** Ids without a row, and foreign entries; of more than can be listed, the first. */
async function collect (context: Context): Promise<{ unknown: FoundBlob[], foreign: ForeignEntry[] }> {
  const { fs, root, isOwn, inventory, progress, signal, pace } = context
  const unknown: FoundBlob[] = []
  const foreign: ForeignEntry[] = []
  progress.step('Looking for files without a record')
  for await (const folder of scanVolume(fs, root, isOwn)) {
    for (let at = 0; at < folder.blobs.length; at += idsPerQuery) {
      await pace(signal)
      const group = folder.blobs.slice(at, at + idsPerQuery)
      const known = await inventory.known(group.map(({ id }) => id))
      for (const found of group) {
        const row = known.get(found.id)
        if (row === undefined) unknown.push(found)
        else foreign.push(...strangers(root, found, row))
      }
      progress.advance(group.length)
    }
    for (const entry of await withoutImposters(context, folder.foreign)) foreign.push(entry)
    unknown.splice(maxFindings)
    foreign.splice(maxFindings)
  }
  return { unknown, foreign }
}

/** Files under the id of a row that are not the row's own. */
function strangers (root: string, { kind, id, extensions, hasSidecar }: FoundBlob, row: Known): ForeignEntry[] {
  const path = (name: string) => relative(root, name)
  const others = extensions.filter((extension) => row.kind !== kind || (extension !== row.extension && row.state !== 'swept')).map((extension) => blobPath(root, { kind, id, extension }))
  return [...others, ...(hasSidecar && row.kind !== kind ? [sidecarPath(root, { kind, id })] : [])].map((name) => ({ path: path(name), what: 'file' }))
}

/** A link in place of a blob or sidecar is a finding of its row already. */
async function withoutImposters ({ root, inventory }: Context, foreign: readonly ForeignEntry[]): Promise<ForeignEntry[]> {
  const ids = foreign.flatMap((entry) => idInPlace(root, entry) ?? [])
  const items = ids.length === 0 ? new Map<string, Item>() : await inventory.items(ids)
  return foreign.filter((entry) => {
    const item = items.get(idInPlace(root, entry) ?? '')
    return item === undefined || ![blobPath(root, item.sidecar), sidecarPath(root, item.sidecar)].includes(join(root, entry.path))
  })
}

/** The id that the name of something in the right folder for it begins with. */
function idInPlace (root: string, { path, what }: ForeignEntry): BlobId | undefined {
  const id = what === 'file' ? undefined : parseName(basename(path))?.id
  const kind = path.startsWith('avatars') ? 'avatar' : 'attachment'
  return id !== undefined && dayFolder(root, { kind, id }) === dirname(join(root, path)) ? id : undefined
}

/** Those that have no row still, and whose files have stood too long for an upload that is about to commit. */
async function settled (context: Context, unknown: readonly FoundBlob[]): Promise<FoundBlob[]> {
  const ages = await aged(context, unknown)
  return ages.filter(({ ageMs }) => ageMs >= inFlightMs).map(({ found }) => found)
}

/** The same, but waits until there is no doubt, unless no other process is there that could commit. */
async function outwaited (context: Context, unknown: readonly FoundBlob[]): Promise<FoundBlob[]> {
  const ages = await aged(context, unknown)
  const waitMs = Math.max(0, ...ages.map(({ ageMs }) => inFlightMs - ageMs))
  if (waitMs === 0 || (await context.storage.staging.living()).length === 0) return ages.map(({ found }) => found)
  context.progress.say(`There are files without a record that may belong to uploads about to be recorded: waiting ${Math.ceil(waitMs / 1000)} s to be sure.`)
  await context.pause(waitMs)
  return (await aged(context, unknown)).map(({ found }) => found)
}

type Aged = { readonly found: FoundBlob, readonly ageMs: number }

/** Of those that have no row now and still a file: since when the youngest of their files has its name. */
async function aged (context: Context, unknown: readonly FoundBlob[]): Promise<Aged[]> {
  const standing: Aged[] = []
  for (let at = 0; at < unknown.length; at += idsPerQuery) {
    const group = unknown.slice(at, at + idsPerQuery)
    const known = await context.inventory.known(group.map(({ id }) => id))
    for (const found of group.filter(({ id }) => !known.has(id))) {
      context.signal?.throwIfAborted()
      const changedAtMs = await lastChange(context, found)
      // A file server's clock may be ahead: then it counts as made just now.
      if (changedAtMs !== undefined) standing.push({ found, ageMs: Math.max(0, context.now().getTime() - changedAtMs) })
    }
  }
  return standing
}

async function lastChange ({ fs, root }: Context, found: FoundBlob): Promise<number | undefined> {
  const looks = await Promise.all(pathsOf(root, found).map((path) => inspect(fs, path)))
  const times = looks.flatMap((look) => look.is === 'file' ? [look.changedAtMs] : look.is === 'nothing' ? [] : [0])
  return times.length === 0 ? undefined : Math.max(...times)
}

function pathsOf (root: string, { kind, id, extensions, hasSidecar }: FoundBlob): string[] {
  return [...extensions.map((extension) => blobPath(root, { kind, id, extension })), ...(hasSidecar ? [sidecarPath(root, { kind, id })] : [])]
}

/** What is wrong with an id that has files, but no row. */
async function describe ({ fs, root }: Context, { kind, id, extensions, hasSidecar }: FoundBlob, isErased: IsErased): Promise<Observed[]> {
  const nameOf = (extension: string) => relative(root, blobPath(root, { kind, id, extension }))
  const sidecarName = relative(root, sidecarPath(root, { kind, id }))
  const of = (problem: Problem, path: string, detail: string): Observed => ({ problem, path, kind, id, detail, mend: mends[problem] })
  const sidecar = hasSidecar ? await readSidecarFile(fs, sidecarPath(root, { kind, id })) : undefined
  const own = isOf(sidecar, kind, id) ? extensions.filter((extension) => extension === sidecar.extension) : extensions
  const strange = extensions.filter((extension) => !own.includes(extension)).map((extension) => foreignFinding(root, { path: nameOf(extension), what: 'file' }))
  if (own.length === 0) return [of('sidecar-alone', sidecarName, 'There is a sidecar, but neither its file nor a record.'), ...strange]
  if (isOf(sidecar, kind, id)) {
    const path = nameOf(sidecar.extension)
    return [isErased(sidecar) ? of('erased-present', path, 'The ledger says that the uploads of its owner were erased, but it is still here.') : of('row-missing', path, 'The file and its sidecar have no record.'), ...strange]
  }
  const why = sidecar === undefined ? 'neither a record nor a sidecar' : 'no record, and its sidecar is damaged or of another file'
  return own.map((extension) => of('blob-undescribed', nameOf(extension), `The file has ${why}.`))
}

const isOf = (sidecar: Sidecar | string | undefined, kind: Sidecar['kind'], id: BlobId): sidecar is Sidecar =>
  typeof sidecar === 'object' && sidecar.id === id && sidecar.kind === kind

/** As audit/moving.ts names what it does not want to lose. */
const keptAside = /^[0-9a-f-]{36}\.[a-z0-9.]+\.damaged(-\d+)?$/

function foreignFinding (root: string, { path, what }: ForeignEntry): Observed {
  const name = basename(path)
  const parsed = what === 'file' ? parseName(name) : undefined
  const belongs = parsed === undefined ? undefined : placeOf(root, path, parsed.id)
  const detail = keptAside.test(name)
    ? `A repair kept this ${what} aside when it put the right one in its place: it may be removed.`
    : belongs !== undefined && belongs !== path ? `The file is not where its name belongs, which is ${belongs}.` : `There is a ${what} that no record owns.`
  const id = asBlobId(name.slice(0, 36))
  return { problem: 'foreign', path, detail, mend: mends.foreign, ...(id !== undefined && { id }) }
}

/** No command removes a folder that holds anything, or a link to one with uploads. */
async function lookedInto ({ fs, root }: Context, finding: Observed, { path, what }: ForeignEntry): Promise<Observed> {
  if (what === 'symbolic link' && isFolderOfUploads(path)) return { ...finding, mend: unlinkFolder }
  const isEmpty = what !== 'folder' || await fs.readdir(join(root, path)).then((names) => names.length === 0, () => false)
  return isEmpty ? finding : { ...finding, mend: lookThrough(basename(path)) }
}

const placeOf = (root: string, path: string, id: BlobId): string =>
  join(relative(root, dayFolder(root, { kind: path.startsWith('avatars') ? 'avatar' : 'attachment', id })), basename(path))

async function isStillThere ({ fs, root }: Context, { path }: ForeignEntry): Promise<boolean> {
  const names = await fs.readdir(dirname(join(root, path))).catch((): string[] => [])
  return names.includes(basename(path))
}
