// Makes the row of a blob that has none from its sidecar, unless it is gone for good; and sets right what contradicts itself.
import { createAdoption, unfitness } from '../../records/adopt.ts'
import { createImportLeftovers, isDoubtful } from '../../records/import-leftovers.ts'
import { createOwners } from '../../records/owners.ts'
import { hasCopy } from '../../records/picture-copies.ts'
import { createRepairs } from '../../records/repairs.ts'
import { OwnerErased } from '../../errors.ts'
import { asBlobId } from '../../storage/ids.ts'
import { isDraft, type Sidecar } from '../../storage/sidecar.ts'
import type { Kind } from '../../storage/store.ts'
import { inspect } from '../../storage/volume/inspect.ts'
import { blobPath, sidecarPath } from '../../storage/volume/layout.ts'
import { readSidecarFile } from '../verify/rows.ts'
import { putBytes } from './blobs.ts'
import { isRight, left, type Mending, type Tools } from './mending.ts'

export async function mendRow (tools: Tools, kind: Kind, id: string): Promise<Mending> {
  const { fs, root, inventory, sources } = tools
  const blobId = asBlobId(id)
  if (blobId === undefined || (await inventory.known([blobId])).has(blobId)) return isRight
  const sidecar = await readSidecarFile(fs, sidecarPath(root, { kind, id: blobId }))
  if (typeof sidecar !== 'object' || sidecar.id !== id || sidecar.kind !== kind) return left('There is no sidecar that says what it is.')
  const reason = await refusal(tools, sidecar)
  if (reason !== undefined) return left(reason)
  const there = await inspect(fs, blobPath(root, sidecar), { isHashed: true })
  if (there.is === 'file' && there.size === sidecar.size && there.sha256 === sidecar.sha256) return { action: 'Make its record from the sidecar.', done: 'Its record was made from the sidecar.', mend: () => adopt(tools, sidecar) }
  if (there.is !== 'nothing') return left('Its bytes are not those that its sidecar tells of.')
  const source = await sources.find(sidecar)
  if (source === undefined) return left(sources.nowhere)
  return {
    action: `${source.isMovable ? 'Rename' : 'Copy'} ${source.shown} to its place, and make its record from the sidecar.`,
    done: `${source.shown} was ${source.isMovable ? 'renamed' : 'copied'} to its place, and its record made from the sidecar.`,
    async mend () {
      await putBytes(tools, sidecar, source, false)
      await adopt(tools, sidecar)
    },
  }
}

/** Why no row may be made of it. */
async function refusal ({ isErased, tombstones, client }: Tools, sidecar: Sidecar): Promise<string | undefined> {
  const unfit = unfitness(sidecar)
  if (unfit !== undefined) return `Its sidecar cannot be believed: ${unfit}.`
  if (isErased(sidecar)) return 'The uploads of its owner were erased.'
  for (const path of sidecar.aliases) if (await tombstones.hasPath(path)) return 'It was removed for good before: its old URL says so.'
  if (sidecar.source !== null && await tombstones.hasSource(sidecar.source)) return 'It was removed for good before: where it was imported from says so.'
  if (isDraft(sidecar)) return 'It is a copy without metadata that never came to the place of its original: the sweep removes it in time.'
  if (await hasCopy(client, sidecar.id)) return 'Another record has it without its metadata, in its place: the sweep removes it in time.'
  if (!isDoubtful(sidecar)) return undefined
  if (sidecar.kind === 'avatar' && await tombstones.hasAvatar(sidecar.ownerId ?? '')) return 'Its owner removed their picture for good before: this is what an interrupted import left, and the sweep removes it in time.'
  if ((await createImportLeftovers(client).accepted([sidecar])).length === 0) return 'Another record is of the same source, or has its old URL: this is what an interrupted import left, and the sweep removes it in time.'
  return undefined
}

async function adopt ({ client, now, storage: { hash, store }, settling }: Tools, sidecar: Sidecar): Promise<void> {
  const owners = createOwners({ client, hash })
  await createRepairs({ client, now }).removeDangling(sidecar.id)
  try {
    await createAdoption({ client, now, entering: (ownerId, epoch) => client.$executeRaw(owners.entering(ownerId, epoch)) }).adopt(sidecar)
  } catch (error) {
    if (sidecar.ownerId !== null) {
      await owners.refuseErased(sidecar.ownerId, sidecar.epoch).catch(async (erased: unknown) => {
        // The erasure may have looked here before these files were back.
        if (erased instanceof OwnerErased) await store.removeForGood(sidecar)
        throw erased
      })
    }
    throw error
  }
  // Its own, and that of a picture which it replaced.
  await settling.settle(sidecar.id)
  await settling.settleDue()
}

export async function mendInconsistency ({ client, now, settling }: Tools, id: string): Promise<Mending> {
  const repairs = createRepairs({ client, now })
  const repair = await repairs.plan(id)
  if (repair === undefined) return left('The records do not say which of them is right.')
  return {
    action: repair.action,
    done: repair.done,
    async mend () {
      await repair.run()
      await settling.settle(id)
    },
  }
}
