// What the webhook has not taken: what waits, what was given up, and both tried again now. commands/events.ts is its command line.
import { createOutbox, type ListedEvent } from '../events/records.ts'
import type { LeftAlone } from './trash.ts'
import type { Workplace } from './workplace.ts'

export type EventItem = {
  readonly id: string
  readonly type: string
  /** Null for one that says nothing any more, because its owner was erased. */
  readonly ownerId: string | null
  readonly occurredAt: string | null
  readonly attempts: number
  /** When it is tried next; null for one that waits for an earlier one of its owner, or was given up. */
  readonly dueAt: string | null
  readonly deadAt: string | null
}

/** `waiting` and `dead` are of all; `items` are the oldest. */
export type EventList = { readonly waiting: number, readonly dead: number, readonly items: readonly EventItem[] }

/** `waiting`: how many are to be delivered now, those included that wait for an earlier one of their owner. */
export type RetryReport = { readonly retried: readonly string[], readonly waiting: number, readonly left: readonly LeftAlone[] }

export async function listEvents ({ client, now }: Workplace, { isDead, limit }: { isDead: boolean, limit: number }): Promise<EventList> {
  const outbox = createOutbox({ client, now })
  const { waiting, dead } = await outbox.depth()
  return { waiting, dead, items: (await outbox.list(isDead, limit)).map(itemOf) }
}

/** All that were given up or wait for their next try, or those of `ids`. A running gateway delivers them. */
export async function retryEvents ({ client, now }: Workplace, ids?: readonly string[]): Promise<RetryReport> {
  const outbox = createOutbox({ client, now })
  const retried = await outbox.retry(ids)
  const isRetried = new Set(retried)
  const { waiting } = await outbox.depth()
  return { retried, waiting, left: (ids ?? []).filter((id) => !isRetried.has(id)).map((id) => ({ id, reason: 'No event with this id waits or was given up; it may have been delivered.' })) }
}

function itemOf ({ id, type, payload, attempts, dueAt, deadAt }: ListedEvent): EventItem {
  const { ownerId = null, occurredAt = null } = payload === '' ? {} : JSON.parse(payload) as { ownerId?: string, occurredAt?: string }
  return { id, type, ownerId, occurredAt, attempts, dueAt: dueAt?.toISOString() ?? null, deadAt: deadAt?.toISOString() ?? null }
}
