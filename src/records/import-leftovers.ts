// Which imported files were accepted, and which an interrupted import left: whole and durable with a sidecar like any other, but never
// recorded. What was removed here for good is not known here: tombstones say that.
import { timeOf } from '../storage/ids.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { PrismaClient } from './database.ts'
import { querying } from './failures.ts'

/** Of the same source, and certainly accepted. */
type Recorded = { readonly id: string, readonly kind: string, readonly state: string, readonly stateAt: Date, readonly originalId: string | null, readonly recordId: string | null }

/** Nothing was changed of it since its import wrote it, so that it does not tell by itself whether that import got to record it. */
export const isDoubtful = ({ source, revision }: Pick<Sidecar, 'source' | 'revision'>): boolean => source !== null && revision === 1

/**
 * Whether an import can have accepted `one` beside what is recorded of its source: it replaces what came before, which is counted in the
 * revision of that, hands its record and its old URLs over and retires it; and it never follows what a user deleted.
 */
function canFollow (one: Sidecar, other: Recorded): boolean {
  // A copy without metadata came when its original did.
  if (other.originalId === one.id || (other.originalId ?? other.id) > one.id) return false
  if (one.recordId !== null && one.recordId === other.recordId) return false
  if (other.state === 'live') return one.state !== 'live'
  // An attachment that was replaced is deleted too, but under another record id.
  return one.kind === 'attachment' || (other.state !== 'deleted' && other.state !== 'purging')
}

/** Of `possible`, which are of one source, by id, and contradict nothing that is recorded of it, those that were accepted. */
function chosen (possible: readonly Sidecar[], recorded: readonly Recorded[]): Sidecar[] {
  const attachment = acceptedAttachment(possible, recorded)
  return possible.filter((one) => one === (one.kind === 'avatar' ? lastLike(one, possible) : attachment))
}

/**
 * Imports go on until the picture is accepted, so of the same bytes it is the last; and what is current is not followed by an earlier
 * version. Of other pictures nobody knows which was accepted: all come in, the older ones as versions that were replaced, so that none is lost.
 */
function lastLike ({ sourceSha256, state }: Sidecar, possible: readonly Sidecar[]): Sidecar | undefined {
  return possible.findLast((other) => other.sourceSha256 === sourceSha256 || (state === 'live' && other.state === 'superseded'))
}

/** Imports go on until it is accepted, so it is the last; unless that was to replace it, and so has its record id. */
function acceptedAttachment (possible: readonly Sidecar[], recorded: readonly Recorded[]): Sidecar | undefined {
  const alike = possible.filter(({ recordId }) => recordId === possible.at(-1)?.recordId)
  // The record id was made for it, and after it: it replaced nothing itself, and was not replaced, or its revision would tell.
  const first = alike.find(({ id, recordId }) => recordId !== null && recordId > id)
  const replacedAt = Math.max(...recorded.map(({ stateAt }) => stateAt.getTime()))
  return first ?? alike.findLast(({ id }) => timeOf(id).getTime() <= replacedAt) ?? alike.at(-1)
}

export type ImportLeftovers = ReturnType<typeof createImportLeftovers>

export function createImportLeftovers (client: PrismaClient) {
  async function recordedOf (sources: readonly string[]): Promise<Map<string | null, Recorded[]>> {
    const rows = await client.blob.findMany({ where: { source: { in: [...sources] } }, select: { id: true, kind: true, state: true, stateAt: true, source: true, originalId: true, attachment: { select: { id: true } } } })
    return Map.groupBy(rows.map(({ attachment, ...row }) => ({ ...row, recordId: attachment?.id ?? null })), ({ source }) => source)
  }

  /** Those that something has which was certainly accepted, of whatever source: what gets an old URL of another source is changed by that. */
  async function heldOf (doubtful: readonly Sidecar[]): Promise<Set<string>> {
    const paths = [...new Set(doubtful.flatMap(({ aliases }) => aliases))]
    const rows = await client.alias.findMany({ where: { path: { in: paths } }, select: { path: true, blob: { select: { source: true, revision: true } } } })
    return new Set(rows.filter(({ blob }) => !isDoubtful(blob)).map(({ path }) => path))
  }

  return {
    /** Those of `doubtful` that were accepted. They are by id, and of each source all of them that have no row. */
    accepted: (doubtful: readonly Sidecar[]): Promise<Sidecar[]> => querying(async () => {
      const bySource = Map.groupBy(doubtful, ({ source }) => source ?? '')
      const [recorded, held] = await Promise.all([recordedOf([...bySource.keys()]), heldOf(doubtful)])
      return [...bySource].flatMap(([source, all]) => {
        const others = recorded.get(source) ?? []
        return chosen(all.filter((one) => !one.aliases.some((path) => held.has(path)) && others.every((other) => canFollow(one, other))), others)
      })
    }),
  }
}
