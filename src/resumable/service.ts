// Resumable uploads with all that they need: rows, segments, and what the features do with them.
import { answersKeptMs } from '../records/answers.ts'
import type { Coordination } from '../records/coordination.ts'
import type { PrismaClient } from '../records/database.ts'
import type { Owners } from '../records/owners.ts'
import type { Quota } from '../records/quota.ts'
import type { Segments } from '../storage/segments.ts'
import type { Store } from '../storage/store.ts'
import { createElsewhere } from './elsewhere.ts'
import { createEngine, type Engine } from './engine.ts'
import { createFinishing } from './finishing.ts'
import { createLeases } from './leases.ts'
import { purposeOf, type Features } from './purposes.ts'
import { createResumableRecords } from './records.ts'
import { createRoom } from './room.ts'

type Options = {
  client: PrismaClient
  coordination: Pick<Coordination, 'id' | 'tell' | 'hear'>
  owners: Owners
  segments: Segments
  store: Store
  quota: Quota
  features: Features
  /** Since the last bytes. */
  expiryMs: number
  now: () => Date
  warn: (error: unknown, message: string) => void
}

export function createResumables ({ client, coordination, owners, segments, store, quota, features, expiryMs, now, warn }: Options): Engine {
  const records = createResumableRecords({ client, owners, now })
  const room = createRoom(store)
  // The answer to an Idempotency-Key names an upload: it is there for as long.
  const keptMs = Math.max(expiryMs, answersKeptMs)
  const finishing = createFinishing({ records, segments, store, quota, purpose: purposeOf(features), room, expiryMs, keptMs, now, warn })
  const { attachment: { maxBytes: attachment }, avatar: { maxBytes: avatar } } = features
  return createEngine({ records, segments, room, quota, finishing, leases: createLeases(createElsewhere(coordination)), maxBytes: { attachment, avatar, part: attachment }, expiryMs, now })
}
