// Commits of imported files that nothing stands in the way of, many in one transaction: then the disk is waited for once for all of them.
import type { Prisma } from '../generated/prisma/client.ts'
import type { KeyedHash } from '../storage/keyed-hash.ts'
import { committing, eachOwner, isOwnerErased } from './commits.ts'
import type { PrismaClient } from './database.ts'
import { isStale, isTaken } from './failures.ts'
import type { Placing } from './imports.ts'
import type { Owners } from './owners.ts'
import { toBlobRow } from './sidecars.ts'
import { inPrisma } from './statements.ts'

const mostAtOnce = 64

type Place = (ownerId: string, placing: Placing) => Promise<boolean>

type Waiting = { readonly ownerId: string, readonly placing: Placing, readonly settle: PromiseWithResolvers<boolean> }

/** New, and the first of its owner where it is an avatar: nothing has to be compared but what the keys of the tables do. */
export const isPlain = ({ sidecar: { kind, state }, current, replaces, ownerCommits }: Placing): boolean =>
  replaces === undefined && current === undefined && state === 'live' && (kind === 'attachment' || ownerCommits === undefined)

/** `single` places one alone, where a group of them did not go in. What is plain only. */
export function createGroupCommits ({ client, owners, hash, single }: { client: PrismaClient, owners: Pick<Owners, 'entering' | 'refuseErased'>, hash: KeyedHash, single: Place }): Place {
  let waiting: Waiting[] = []
  let running: Promise<void> | undefined

  async function run (): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting.slice(0, mostAtOnce)
      waiting = waiting.slice(mostAtOnce)
      await commit(group)
    }
  }

  async function commit (group: readonly Waiting[]): Promise<void> {
    try {
      const ownerIds = group.map(({ ownerId }) => ownerId)
      await committing(client, group.map(({ placing: { sidecar } }) => sidecar.id), () => client.$transaction(statements(group)), async () => {
        await Promise.all(eachOwner(ownerIds, (ownerId) => owners.refuseErased(ownerId, oldest(group))))
      })
      for (const { settle } of group) settle.resolve(true)
    } catch (error) {
      // One of them does not fit: alone, each finds out whether it is the one.
      const isOfOne = isStale(error) || isTaken(error) || isOwnerErased(error)
      for (const { ownerId, placing, settle } of group) {
        if (isOfOne) await single(ownerId, placing).then(settle.resolve, settle.reject)
        else settle.reject(error)
      }
    }
  }

  function statements (group: readonly Waiting[]): Prisma.PrismaPromise<unknown>[] {
    const avatars = group.filter(({ placing }) => placing.sidecar.kind === 'avatar')
    const attachments = group.filter(({ placing }) => placing.sidecar.kind === 'attachment')
    const sidecars = group.map(({ placing }) => placing.sidecar)
    const aliases = sidecars.flatMap(({ id, aliases }) => aliases.map((path) => ({ path, blobId: id })))
    return [
      // As entering makes it, and only where there was none: no commit, and no erasure, of that owner came between.
      client.owner.createMany({ data: avatars.map(({ ownerId }) => ({ key: hash('owner', ownerId), commits: 1 })) }),
      ...inPrisma(client, eachOwner(attachments.map(({ ownerId }) => ownerId), (ownerId) => owners.entering(ownerId, oldest(group)))),
      client.blob.createMany({ data: sidecars.map((sidecar) => toBlobRow({ ...sidecar, aliases: [] })) }),
      client.alias.createMany({ data: aliases }),
      client.avatar.createMany({ data: avatars.map(({ ownerId, placing: { sidecar } }) => ({ userId: ownerId, blobId: sidecar.id })) }),
      client.attachment.createMany({ data: attachments.map(({ placing }) => toAttachmentRow(placing)) }),
    ]
  }

  return async (ownerId, placing) => {
    const settle = Promise.withResolvers<boolean>()
    waiting.push({ ownerId, placing, settle })
    running ??= run().finally(() => { running = undefined })
    return settle.promise
  }
}

/** An erasure after it may be of any of them: each then finds out alone, by its own epoch. */
const oldest = (group: readonly Waiting[]): number => Math.min(...group.map(({ placing }) => placing.sidecar.epoch))

/** The record as the sidecar says it. */
export function toAttachmentRow ({ sidecar: { id, recordId, ownerId, filename, visibility, contextType, contextId, alt, createdAt } }: Placing): Prisma.AttachmentCreateManyInput {
  return { id: recordId ?? '', blobId: id, ownerId: ownerId ?? '', filename: filename ?? '', visibility: visibility ?? '', contextType, contextId, alt, createdAt: new Date(createdAt) }
}
