// What is told of a user's picture when something happens to it.
import { Type } from 'typebox'
import type { UserId } from '../callers/caller.ts'
import type { EventDescription } from '../plugins/event-description.ts'
import type { Happening } from '../records/events.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import { avatarUrl, present, presentRow } from './present.ts'
import type { AvatarBlob } from './records.ts'
import { AvatarSchema } from './schema.ts'

/** `replaced`: the version that was current before. */
export const ofSidecar = (userId: UserId, sidecar: Sidecar, replaced: string | undefined): Happening => ({
  type: replaced === undefined ? 'avatar.created' : 'avatar.replaced', ownerId: userId, epoch: sidecar.epoch,
  data: { ...present(userId, sidecar), replaced: replaced ?? null },
})

/** Of one that was there before, as it is from now on: gone back to, or claimed by its user. */
export const ofAdopted = (userId: UserId, blob: AvatarBlob, { wasPending, replaced }: { wasPending: boolean, replaced: string | undefined }): Happening => ({
  type: wasPending ? (replaced === undefined ? 'avatar.created' : 'avatar.replaced') : 'avatar.restored', ownerId: userId, epoch: blob.epoch,
  data: { ...presentRow(userId, blob), replaced: replaced ?? null },
})

export const ofRemoved = (userId: UserId, { id, epoch }: Pick<AvatarBlob, 'id' | 'epoch'>): Happening =>
  ({ type: 'avatar.deleted', ownerId: userId, epoch, data: { userId, avatarUrl: avatarUrl(userId), version: id } })

const { userId, avatarUrl: url, version } = AvatarSchema.properties
const Told = Type.Object({ ...AvatarSchema.properties, replaced: Type.Union([version, Type.Null()], { description: 'The version that was current before.' }) })
const Gone = Type.Object({ userId, avatarUrl: url, version })

/** What `data` is, for the description of the API. */
export const avatarEvents = {
  'avatar.created': { summary: 'A user has a picture', data: Told },
  'avatar.replaced': { summary: 'A user has another picture', data: Told },
  'avatar.restored': { summary: 'A user went back to an earlier picture, or got one back', data: Told },
  'avatar.deleted': { summary: 'A user has no picture any more', data: Gone },
} satisfies Record<string, EventDescription>
