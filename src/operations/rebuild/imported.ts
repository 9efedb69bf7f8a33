// What imports brought and nobody changed since: brought back when everything else is, but for what an interrupted import left.
import { relative } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { Dispute } from '../../records/claims.ts'
import type { Deferred } from '../../records/deferred.ts'
import type { ImportLeftovers } from '../../records/import-leftovers.ts'
import type { Rebuilding } from '../../records/rebuilding.ts'
import type { KeyedHash } from '../../storage/keyed-hash.ts'
import type { Sidecar } from '../../storage/sidecar.ts'
import { tombstonesFor } from '../../storage/tombstones.ts'
import { blobPath } from '../../storage/volume/layout.ts'
import type { Finding } from '../finding.ts'
import type { Progress } from '../progress.ts'

type Task = {
  root: string
  deferred: Pick<Deferred, 'count' | 'pages'>
  importLeftovers: ImportLeftovers
  rebuilding: Pick<Rebuilding, 'insert'>
  isGone: (sidecar: Sidecar) => boolean
  progress: Progress
}

export async function bringImported ({ root, deferred, importLeftovers, rebuilding, isGone, progress }: Task): Promise<{ disputes: Dispute[], leftovers: Finding[] }> {
  const disputes: Dispute[] = []
  const leftovers: Finding[] = []
  const count = deferred.count()
  if (count > 0) progress.step('Bringing imported files back', count)
  for (const page of deferred.pages()) {
    const accepted = await importLeftovers.accepted(page.filter((sidecar) => !isGone(sidecar)))
    disputes.push(...await rebuilding.insert(accepted))
    const isAccepted = new Set(accepted)
    leftovers.push(...page.filter((sidecar) => !isAccepted.has(sidecar)).map((sidecar) => leftover(root, sidecar)))
    progress.advance(page.length)
    // Prisma's statements are freed in between, not before.
    await setImmediate()
  }
  return { disputes, leftovers }
}

/** By the tombstones of what went for good: no import can have accepted it since, nor can it be what was accepted before. */
export function isEntombed (keys: ReadonlySet<string>, hash: KeyedHash): (sidecar: Sidecar) => boolean {
  return ({ kind, ownerId, source, aliases }) =>
    [...tombstonesFor(hash, { source, aliases }), ...(kind === 'avatar' ? [hash('avatar', ownerId ?? '')] : [])].some((key) => keys.has(key))
}

const leftover = (root: string, sidecar: Sidecar): Finding => ({
  problem: 'row-missing', kind: sidecar.kind, id: sidecar.id, path: relative(root, blobPath(root, sidecar)),
  detail: 'An interrupted import left it: what was accepted of the same source is another file, or was removed here. So it was not brought back.',
  mend: 'Nothing has to be done: the sweep removes it after SWEEP_GRACE_SECONDS. What is new at the source comes with the next import.',
})
