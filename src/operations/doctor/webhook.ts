// What the webhook has not taken: what waits and since when, and what was given up. Asks the receiver nothing.
import type { Config } from '../../config.ts'
import { createOutbox, type Depth } from '../../events/records.ts'
import type { PrismaClient } from '../../records/database.ts'
import { hasWebhook } from '../../records/events.ts'
import { checking, ok, warning, type Check, type Seen } from './check.ts'

/** `isWanted`: the gateway that started last has a webhook, whatever the settings here say. */
export type Undelivered = Depth & { readonly isWanted: boolean }

/** A receiver that is restarted is away for less. */
const longMs = 5 * 60_000

export const undelivered = async (client: PrismaClient, now: () => Date): Promise<Undelivered> => ({ ...await createOutbox({ client, now }).depth(), isWanted: await hasWebhook(client) })

/** `seen` is undefined when the database cannot be read, which is told with the database. */
export async function checkWebhook ({ webhook }: Pick<Config, 'webhook'>, seen: Undelivered | undefined, now: () => Date): Promise<Check[]> {
  if (seen === undefined) return []
  const isWanted = webhook !== undefined || seen.isWanted
  if (!isWanted && seen.waiting + seen.dead === 0) return []
  return checking('webhook', [{ name: 'events', look: () => events(seen, isWanted, now()) }])
}

function events ({ waiting, dead, oldestAt }: Undelivered, isWanted: boolean, at: Date): Seen {
  const count = `${waiting} to be delivered${oldestAt === undefined ? '' : `, the oldest since ${oldestAt.toISOString()}`}; ${dead} given up.`
  if (!isWanted) return ok(`There is no webhook any more. What it has not taken is kept for 30 days, in case it comes back: ${count}`)
  const isLong = oldestAt !== undefined && at.getTime() - oldestAt.getTime() > longMs
  if (!isLong && dead === 0) return ok(count)
  return warning(count, 'The log of the gateway says why the webhook does not take them. When it does again, "upload-gateway events retry --all" has them tried now; what was given up is removed 30 days after that.')
}
