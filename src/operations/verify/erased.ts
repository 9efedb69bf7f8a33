// Whose uploads the ledger calls erased, and so may be on the volume no more.
import type { Sidecar } from '../../storage/sidecar.ts'
import type { Context } from './context.ts'

/** An erasure is carried out within a minute; one that was asked for just now is no finding yet. */
const underWayMs = 5 * 60_000

export type IsErased = (blob: Pick<Sidecar, 'ownerId' | 'epoch'>) => boolean

export async function readErased ({ storage: { erasures, hash }, now }: Pick<Context, 'storage' | 'now'>): Promise<IsErased> {
  const due = now().getTime() - underWayMs
  const epochs = new Map<string, number>()
  for (const { owner, epoch, at } of (await erasures.read()).erasures) {
    if (new Date(at).getTime() <= due) epochs.set(owner, Math.max(epoch, epochs.get(owner) ?? 0))
  }
  if (epochs.size === 0) return () => false
  return ({ ownerId, epoch }) => ownerId !== null && epoch < (epochs.get(hash('owner', ownerId)) ?? 0)
}
