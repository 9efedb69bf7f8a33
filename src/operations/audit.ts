// Checks the volume as verify does, and says of each finding what can be done about it; with `isRepair` it does that.
import { existsSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { createInventory } from '../records/inventory.ts'
import { identityFile } from '../storage/volume/layout.ts'
import { mendBlob } from './audit/blobs.ts'
import { mendForeign } from './audit/foreign.ts'
import { isRight, left, type Mending, type Tools } from './audit/mending.ts'
import { createMoving } from './audit/moving.ts'
import { mendInconsistency, mendRow } from './audit/rows.ts'
import { mendSidecar } from './audit/sidecars.ts'
import { createSources } from './audit/sources.ts'
import { mendTombstones } from './audit/tombstones.ts'
import { backupFile } from './backup/layout.ts'
import type { Finding, Problem, Verification } from './finding.ts'
import type { Progress } from './progress.ts'
import { reasonOf } from './reason.ts'
import { Refusal } from './refusal.ts'
import { verifyVolume, type VerifyOptions } from './verify.ts'
import { readErased } from './verify/erased.ts'
import { createFindings, databaseIsOlder, type Observed } from './verify/observed.ts'
import type { Workplace } from './workplace.ts'

/** The heartbeat of one that repairs says so: two at once would take files from each other. */
export const repairWork = 'audit --repair'

export type AuditOptions = Pick<VerifyOptions, 'pause'> & {
  readonly isRepair: boolean
  /** A backup folder, or a copy of the volume. */
  readonly from?: string
  readonly removesForeign: boolean
  readonly progress: Progress
}

export type Outcome = 'mendable' | 'mended' | 'failed' | 'left'

export type Audited = Finding & {
  /** mendable: without `isRepair`. failed: it was tried, and can be tried again. */
  readonly outcome: Outcome
  /** What is or was done about it, or why nothing. */
  readonly action: string
}

export type Audit = Omit<Verification, 'findings'> & { readonly isRepair: boolean, readonly findings: readonly Audited[] }

/** @throws Refusal when `from` is no backup, or another process repairs this volume */
export async function auditVolume (workplace: Workplace, options: AuditOptions): Promise<Audit> {
  const { isRepair, from, progress, pause } = options
  if (from !== undefined) refuseNoBackup(from)
  if (isRepair) {
    await refuseSecond(workplace)
    // A repair that was killed may owe some, and what is owed is no finding. What cannot be written now stays owed.
    await workplace.settling.settleDue({ isStart: true }).catch(() => {})
  }
  const observed = createFindings()
  const { findings, cursor: _, ...counts } = await verifyVolume(workplace, { progress, findings: observed, ...(pause !== undefined && { pause }) })
  const tools = await toolsFor(workplace, observed.list, from)
  const menders = mendersFor(tools, observed.list, options)
  const audited: Audited[] = []
  if (findings.length > 0) progress.step(isRepair ? 'Mending' : 'Looking for what mends it', findings.length)
  for (const finding of findings.toSorted((a, b) => order.indexOf(a.problem) - order.indexOf(b.problem))) {
    audited.push(await carriedOut(finding, isRepair, menders, audited))
    progress.advance()
  }
  return { ...counts, isRepair, findings: audited }
}

function refuseNoBackup (from: string): void {
  if (![backupFile, identityFile].some((name) => existsSync(join(from, name)))) throw new Refusal(`${resolve(from)} is no backup: it has neither ${backupFile} nor ${identityFile}. Give --from a folder that "upload-gateway backup" has filled, or a copy of the volume.`)
}

async function refuseSecond ({ storage: { staging }, root }: Workplace): Promise<void> {
  const [other] = await staging.living({ relevant: ({ work }) => work === repairWork })
  if (other !== undefined) throw new Refusal(`Process ${other.pid} repairs the volume ${root} already. Wait for its end and run this again.`)
}

async function toolsFor (workplace: Workplace, observed: readonly Observed[], from: string | undefined): Promise<Tools> {
  const { fs, root, client } = workplace
  const inventory = createInventory(client)
  const strays = observed.filter(({ problem, actual }) => problem === 'foreign' || actual !== undefined).map(({ path }) => path)
  return {
    ...workplace, inventory,
    sources: createSources({ fs, root, inventory, strays, from }),
    moving: createMoving(workplace),
    isErased: isLedgerWhole(observed) ? await readErased(workplace) : () => true,
  }
}

const isLedgerWhole = (observed: readonly Observed[]): boolean => !observed.some(({ problem }) => problem === 'ledger-damaged')

/** First what others build upon; what may hold the last copy of something goes last. */
const order: readonly Problem[] = [
  'row-inconsistent', 'blob-swapped', 'blob-missing', 'blob-size', 'blob-corrupt', 'blob-unreadable',
  'sidecar-missing', 'sidecar-damaged', 'sidecar-differs', 'row-missing', 'sidecar-alone',
  'blob-undescribed', 'erased-present', 'ledger-damaged', 'backup-damaged', 'foreign',
]

type Mender = (finding: Finding, audited: readonly Audited[]) => Promise<Mending>

function mendersFor (tools: Tools, observed: readonly Observed[], { removesForeign }: AuditOptions): Partial<Record<Problem, Mender>> {
  const elsewhere = new Map(observed.filter(({ problem }) => problem === 'foreign').map(({ path }) => [basename(path), path]))
  const behind = new Set(observed.filter(({ mend }) => mend === databaseIsOlder).map(({ id }) => id))
  // Mending would write the sidecar of the older row over the newer one.
  const unlessBehind = (mend: typeof mendBlob): Mender => async ({ id = '' }) => behind.has(id) ? left(databaseIsOlder) : mend(tools, id)
  const blob = unlessBehind(mendBlob)
  const sidecar: Mender = ({ id = '', path }) => mendSidecar(tools, id, elsewhere.get(basename(path)))
  // Nothing is made a record of while it is not known who was erased.
  const row: Mender = async ({ id = '', kind }) => kind === undefined || !isLedgerWhole(observed) ? left('Mend the ledger first: as long as it is damaged, it is not known who was erased.') : mendRow(tools, kind, id)
  return {
    'row-inconsistent': unlessBehind(mendInconsistency),
    'blob-swapped': blob, 'blob-missing': blob, 'blob-size': blob, 'blob-corrupt': blob,
    'sidecar-missing': sidecar, 'sidecar-damaged': sidecar, 'sidecar-differs': sidecar,
    'row-missing': row, 'sidecar-alone': row,
    'ledger-damaged': (finding) => mendTombstones(tools, finding),
    foreign: async ({ path }, audited) => mendForeign(tools, path, { isAllowed: removesForeign, wantedSizes: await lostSizes(tools, audited) }),
  }
}

const lost: ReadonlySet<Problem> = new Set(['blob-swapped', 'blob-missing', 'blob-size', 'blob-corrupt', 'blob-unreadable'])

async function lostSizes ({ inventory }: Tools, audited: readonly Audited[]): Promise<Set<number>> {
  const ids = audited.filter(({ problem, outcome }) => lost.has(problem) && outcome !== 'mended').map(({ id = '' }) => id)
  const rows = ids.length === 0 ? [] : (await inventory.items(ids)).values()
  return new Set(Array.from(rows, ({ sidecar }) => sidecar.size))
}

async function carriedOut (finding: Finding, isRepair: boolean, menders: Partial<Record<Problem, Mender>>, audited: readonly Audited[]): Promise<Audited> {
  const said = (outcome: Outcome, action: string): Audited => ({ ...finding, outcome, action })
  let action = 'Look at it again.'
  try {
    const mending = await menders[finding.problem]?.(finding, audited) ?? left(finding.mend)
    if (mending === isRight || 'isRight' in mending) return said('mended', 'It is right by now.')
    if ('left' in mending) return said('left', mending.left)
    action = mending.action
    if (!isRepair) return said('mendable', action)
    await mending.mend()
    return said('mended', mending.done)
  } catch (error) {
    return said('failed', `${action} That failed: ${failureOf(error)}`)
  }
}

function failureOf (error: unknown): string {
  if (!(error instanceof Error && 'statusCode' in error)) return reasonOf(error)
  return error.cause instanceof Error ? `${error.message} (${reasonOf(error.cause)})` : error.message
}
