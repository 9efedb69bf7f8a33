// What the gateway would answer, asked of the very rules that answer: whom it would show the file to. No byte is read.
import { join } from 'node:path'
import { createAttachmentRecords } from '../../attachments/records.ts'
import { createAttachments } from '../../attachments/service.ts'
import { createAvatarRecords } from '../../avatars/records.ts'
import { createAvatars } from '../../avatars/service.ts'
import { showingStored } from '../../avatars/showing.ts'
import type { Caller, UserId } from '../../callers/caller.ts'
import type { PrismaClient } from '../../records/database.ts'
import { createOwners } from '../../records/owners.ts'
import { createSettling } from '../../records/sidecars.ts'
import { errnoOf } from '../../storage/failures.ts'
import type { FileSystem } from '../../storage/fs.ts'
import type { KeyedHash } from '../../storage/keyed-hash.ts'
import { createSpace } from '../../storage/space.ts'
import { createDurable } from '../../storage/volume/durable.ts'
import { stagingFolder } from '../../storage/volume/layout.ts'
import { createVolume } from '../../storage/volume/volume.ts'
import type { Subject } from './subject.ts'

/** Whom an address is for. */
export type Answered = 'anyone' | 'its owner and services' | 'nobody'

/** Who gets the file, also by having been named or given a link. */
export type Audience = Answered | 'its owner, its readers and services' | 'its owner, services and whoever has a link' | 'its owner, its readers, services and whoever has a link' | 'whoever has the link'

export type Answers = (subject: Subject) => Promise<Answered>

const service: Caller = { id: 'explain' as UserId, scopes: new Set(['uploads:service']) }

export function createAnswers ({ client, fs, root, hash, now }: { client: PrismaClient, fs: FileSystem, root: string, hash: KeyedHash, now: () => Date }): Answers {
  const durable = createDurable({ fs, onSyncFailure: () => {} })
  // Only for reading: nothing is ever staged there.
  const staging = { folder: join(root, stagingFolder), within: <T>(work: () => Promise<T>) => work() }
  const store = createVolume({ fs, durable, root, staging, space: createSpace({ fs, folder: root, reserveBytes: 0 }) })
  const shared = { store, now, settling: createSettling({ client, store, now }) }
  const owners = createOwners({ client, hash })
  const avatars = createAvatars({ ...shared, warn () {}, show: showingStored({ store }), records: createAvatarRecords({ client, owners, now }) })
  const attachments = createAttachments({ ...shared, records: createAttachmentRecords({ client, owners, now }) })

  const attachment = async (id: string): Promise<Answered> => {
    if (await isFound(() => attachments.content(null, id, { asDownload: false }))) return 'anyone'
    return await isFound(() => attachments.content(service, id, { asDownload: false })) ? 'its owner and services' : 'nobody'
  }

  const oldPath = async (path: string): Promise<Answered> => {
    if (await isFound(() => avatars.behind(path)) || await isFound(() => attachments.behind(null, path))) return 'anyone'
    return await isFound(() => attachments.behind(service, path)) ? 'its owner and services' : 'nobody'
  }

  return async (subject) => {
    switch (subject.is) {
      case 'user':
      case 'current avatar': return await isFound(() => avatars.current(subject.userId)) ? 'anyone' : 'nobody'
      case 'version': return await isFound(() => avatars.version(subject.userId, subject.id)) ? 'anyone' : 'nobody'
      case 'attachment': return attachment(subject.id)
      case 'old path': return oldPath(subject.path)
      default: return 'nobody'
    }
  }
}

/** `answered`: what the attachment's own address says. */
export function audienceWith (answered: Answered, { hasReaders, hasLinks }: { hasReaders: boolean, hasLinks: boolean }): Audience {
  if (answered !== 'its owner and services') return answered
  if (hasReaders) return hasLinks ? 'its owner, its readers, services and whoever has a link' : 'its owner, its readers and services'
  return hasLinks ? 'its owner, services and whoever has a link' : answered
}

/** False for the 404s of the table; anything else is a failure to be told of. */
async function isFound (ask: () => Promise<object | undefined>): Promise<boolean> {
  try {
    return await ask() !== undefined
  } catch (error) {
    if (/_NOT_FOUND$/.test(errnoOf(error) ?? '')) return false
    throw error
  }
}
