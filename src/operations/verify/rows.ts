// Whether each row has its blob and its sidecar, and both say what the row says. What may be a request at work is looked at again.
import { dirname, relative } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import pLimit from 'p-limit'
import type { Item } from '../../records/inventory.ts'
import { asBlobId } from '../../storage/ids.ts'
import type { Pace } from '../../storage/pace.ts'
import { decodeSidecar, type Sidecar } from '../../storage/sidecar.ts'
import { detour, inspect, type Look } from '../../storage/volume/inspect.ts'
import { blobPath, sidecarPath } from '../../storage/volume/layout.ts'
import type { Problem } from '../finding.ts'
import { lookAgainMs, type Context } from './context.ts'
import type { IsErased } from './erased.ts'
import { databaseIsOlder, mends, type Observed } from './observed.ts'

/** No sidecar is longer: filename, alt text, readers and old paths are bounded. */
export const maxSidecarBytes = 1024 ** 2

/** A row that has changed at each of so many looks is being worked on, and is no finding. */
const maxLooks = 6

/** Whether the bytes of this one are read now, or only its size is compared. */
export type ReadsBytes = (sidecar: Sidecar) => boolean

/** What is in the way to a folder, if anything. */
type Around = (folder: string) => Promise<string | undefined>

export type RowCounts = { records: number, hashedFiles: number, hashedBytes: number, allBytes: number }

type Options = {
  readonly isErased: IsErased
  readonly readsBytes: ReadsBytes
  /** Hears the last id of each page, once all of the page is checked. */
  readonly onPage?: ((lastId: string, counts: RowCounts) => Promise<void>) | undefined
}

export async function checkRows (context: Context, options: Options): Promise<RowCounts> {
  const { inventory, progress, pageSize, concurrency, signal, pace } = context
  const counts: RowCounts = { records: 0, hashedFiles: 0, hashedBytes: 0, allBytes: 0 }
  const limit = pLimit(concurrency)
  progress.step('Checking files of records', await inventory.count())
  for (let after = ''; ;) {
    const page = await inventory.page(after, pageSize)
    const last = page.at(-1)
    if (last === undefined) return counts
    const around = remembered((folder) => detour(context.fs, context.root, folder))
    const suspects = await Promise.all(page.map((item) => limit(async () => {
      signal?.throwIfAborted()
      const isHashed = options.readsBytes(item.sidecar)
      counts.records += 1
      counts.allBytes += item.sidecar.size
      if (isHashed) counts.hashedFiles += 1
      if (isHashed) counts.hashedBytes += item.sidecar.size
      const seen = await look(context, item, { isHashed, isErased: options.isErased, around })
      progress.advance()
      await pace(signal)
      return seen.length === 0 ? undefined : { item, isHashed, seen }
    })))
    context.findings.add(...await confirmed(context, suspects.filter((suspect) => suspect !== undefined), options.isErased))
    after = last.sidecar.id
    await options.onPage?.(after, counts)
  }
}

/** Files of one page are in few folders. */
function remembered (find: Around): Around {
  const known = new Map<string, ReturnType<Around>>()
  return (folder) => {
    const before = known.get(folder)
    if (before !== undefined) return before
    const found = find(folder)
    known.set(folder, found)
    return found
  }
}

type Suspect = { readonly item: Item, readonly isHashed: boolean, readonly seen: readonly Observed[] }

/** What is seen twice in the same state of the row, with a pause between. */
async function confirmed (context: Context, suspects: readonly Suspect[], isErased: IsErased): Promise<Observed[]> {
  const found: Observed[] = []
  const limit = pLimit(context.concurrency)
  let open = suspects
  for (let looks = 1; open.length > 0 && looks < maxLooks; looks += 1) {
    await context.pause(lookAgainMs)
    const fresh = await context.inventory.items(open.map(({ item }) => item.sidecar.id))
    const next = await Promise.all(open.map((suspect) => limit(() => lookAgain(context, suspect, fresh.get(suspect.item.sidecar.id), isErased))))
    found.push(...next.flatMap((result) => result === undefined || !result.isSure ? [] : result.suspect.seen))
    open = next.flatMap((result) => result === undefined || result.isSure ? [] : [result.suspect])
  }
  return found
}

async function lookAgain (context: Context, before: Suspect, item: Item | undefined, isErased: IsErased): Promise<{ suspect: Suspect, isSure: boolean } | undefined> {
  if (item === undefined) return undefined
  const seen = await look(context, item, { isHashed: before.isHashed, isErased })
  if (seen.length === 0) return undefined
  return { suspect: { ...before, item, seen }, isSure: isDeepStrictEqual(item, before.item) && isDeepStrictEqual(problemsOf(seen), problemsOf(before.seen)) }
}

const problemsOf = (seen: readonly Observed[]): Problem[] => seen.map(({ problem }) => problem)

/** `pace`: at which bytes are read. */
type Looking = Pick<Context, 'fs' | 'signal'> & { readonly pace?: Pace | undefined }

/** All that is wrong with one row and its files at this moment. */
export async function look (context: Looking & Pick<Context, 'root'>, item: Item, { isHashed, isErased, around = (folder) => detour(context.fs, context.root, folder) }: { isHashed: boolean, isErased: IsErased, around?: Around }): Promise<Observed[]> {
  const { sidecar, flaw } = item
  const of = (problem: Problem, path: string, detail: string, more: Partial<Observed> = {}): Observed =>
    ({ problem, path, kind: sidecar.kind, id: sidecar.id, detail, mend: mends[problem], ...more })
  if (asBlobId(sidecar.id) === undefined || !/^[a-z0-9]{1,8}$/.test(sidecar.extension) || !['avatar', 'attachment'].includes(sidecar.kind)) return [of('row-inconsistent', `(row ${sidecar.id})`, `${flaw ?? ''} It cannot have a file.`)]
  const blob = blobPath(context.root, sidecar)
  const within = (path: string) => relative(context.root, path)
  if (isErased(sidecar)) return [of('erased-present', within(blob), 'The ledger says that the uploads of its owner were erased, but it is still here.')]
  const detoured = await around(dirname(blob))
  if (detoured !== undefined) return [of('blob-missing', within(blob), `Its folder is not there: ${within(detoured)} is a link, or no folder.`)]
  const [blobFault, sidecarFault] = await Promise.all([faultOfBlob(context, blob, sidecar, isHashed), faultOfSidecar(context, item)])
  return [
    ...(flaw === undefined ? [] : [of('row-inconsistent', within(blob), flaw)]),
    ...(blobFault === undefined ? [] : [of(blobFault.problem, within(blob), blobFault.detail, { expected: sidecar.sha256, ...(blobFault.actual !== undefined && { actual: blobFault.actual }) })]),
    ...(sidecarFault === undefined ? [] : [of(sidecarFault.problem, within(sidecarPath(context.root, sidecar)), sidecarFault.detail, sidecarFault.isAhead === true ? { mend: databaseIsOlder } : {})]),
  ]
}

type Fault = { readonly problem: Problem, readonly detail: string, readonly actual?: string, readonly isAhead?: boolean }

async function faultOfBlob ({ fs, signal, pace }: Looking, path: string, { size, sha256 }: Sidecar, isHashed: boolean): Promise<Fault | undefined> {
  const found = await inspect(fs, path, { signal, isHashed, pace })
  if (found.is === 'nothing') return { problem: 'blob-missing', detail: 'The file is missing.' }
  if (found.is === 'unreadable') return { problem: 'blob-unreadable', detail: `The file cannot be read (${found.reason}).` }
  if (found.is !== 'file') return { problem: 'blob-missing', detail: `In place of the file there is a ${found.is}.` }
  if (found.size === size && (found.sha256 ?? sha256) === sha256) return undefined
  // Whose bytes they are says whether two were swapped.
  const actual = found.sha256 ?? await hashOf({ fs, signal, pace }, path)
  const bytes = { ...(actual !== undefined && { actual }) }
  if (found.size !== size) return { problem: 'blob-size', detail: `The file is ${found.size} bytes long; its record says ${size}.`, ...bytes }
  return { problem: 'blob-corrupt', detail: `The bytes are not those that were uploaded: their sha-256 is ${actual}, not ${sha256}.`, ...bytes }
}

async function hashOf ({ fs, signal, pace }: Looking, path: string): Promise<string | undefined> {
  const found = await inspect(fs, path, { signal, isHashed: true, pace })
  return found.is === 'file' ? found.sha256 : undefined
}

async function faultOfSidecar ({ fs, root }: Pick<Context, 'fs' | 'root'>, { sidecar, isSidecarDue }: Item): Promise<Fault | undefined> {
  const found = await readSidecarFile(fs, sidecarPath(root, sidecar))
  const isAhead = isAheadOf(sidecar, found)
  // Whoever settles next writes over anything but a sidecar that is ahead.
  if (isSidecarDue && !isAhead) return undefined
  if (typeof found === 'string') return { problem: 'sidecar-damaged', detail: found }
  if (found === undefined) return { problem: 'sidecar-missing', detail: 'The sidecar is missing.' }
  const differing = Object.keys(sidecar).filter((name) => !isDeepStrictEqual(valueOf(sidecar, name), valueOf(found, name)))
  if (differing.length === 0) return undefined
  return { problem: 'sidecar-differs', isAhead, detail: `The sidecar does not say what the record says: ${differing.map((name) => `${name} is ${shown(valueOf(found, name))}, in the record ${shown(valueOf(sidecar, name))}`).join('; ')}.` }
}

/** A sidecar is written after its row: one that counts more changes tells of some that the database does not know. */
export const isAheadOf = (row: Sidecar, found: Sidecar | string | undefined): boolean =>
  typeof found === 'object' && found.id === row.id && found.kind === row.kind && found.revision > row.revision

const valueOf = (sidecar: Sidecar, name: string): unknown => name === 'aliases' ? sidecar.aliases.toSorted() : sidecar[name as keyof Sidecar]

/** Names and alt texts of users can be long. */
function shown (value: unknown): string {
  const text = JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

/** The sidecar in this file; undefined when there is nothing, and what is wrong when there is no sidecar in it. */
export async function readSidecarFile (fs: Context['fs'], path: string): Promise<Sidecar | string | undefined> {
  const found: Look = await inspect(fs, path, { maxBytes: maxSidecarBytes })
  if (found.is === 'nothing') return undefined
  if (found.is === 'unreadable') return `The sidecar cannot be read (${found.reason}).`
  if (found.is !== 'file') return `In place of the sidecar there is a ${found.is}.`
  const sidecar = found.bytes === undefined ? undefined : decodeSidecar(found.bytes.toString())
  return sidecar ?? 'The sidecar is damaged: it is not what the gateway wrote.'
}
