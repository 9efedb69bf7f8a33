// Delivers events: each until it is taken, those of one owner one after the other, those of several side by side. What it is sent with, and where they are kept, is not its business.
import { heldForMs, isHopeless, leftMs, pauseAfter } from './patience.ts'
import type { DueEvent, Held, Outbox } from './records.ts'
import type { Send } from './webhook.ts'

/** What hears of each end of an attempt. */
export type Witness = {
  sent (): void
  /** It is tried again then. */
  failed (event: { id: string, type: string }, reason: string, dueAt: Date): void
  gaveUp (event: { id: string, type: string }, reason: string): void
  /** The database did not do what was asked of it. What was to be done is done later. */
  troubled (error: unknown): void
}

export type Sender = ReturnType<typeof createSender>

type Options = {
  /** Whether this process is to send, at this moment. What it sends is told to its end in any case. */
  isAllowed?: () => boolean
  outbox: Pick<Outbox, 'due' | 'hold' | 'done' | 'postpone' | 'giveUp'>
  send: Send
  witness: Witness
  now: () => Date
}

const atOnce = 8

export function createSender ({ outbox, send, witness, now, isAllowed = () => true }: Options) {
  const delivering = new Map<string, Promise<void>>()
  let isStopped = false
  let looking: Promise<void> | undefined
  let isAskedAgain = false

  async function attempt (event: Held): Promise<void> {
    // A process that was suspended here: another has sent it by now, and perhaps what comes after it.
    if (event.heldUntil.getTime() - now().getTime() < leftMs) return
    const outcome = event.payload === '' ? undefined : await send(event)
    if (outcome?.isTaken !== false) {
      await outbox.done(event)
      if (outcome !== undefined) witness.sent()
      return
    }
    const attempts = event.attempts + 1
    if (isHopeless(event, attempts, now())) {
      await outbox.giveUp(event)
      witness.gaveUp(event, outcome.reason)
      return
    }
    const dueAt = new Date(now().getTime() + pauseAfter(attempts, outcome))
    await outbox.postpone(event, dueAt)
    witness.failed(event, outcome.reason, dueAt)
  }

  function deliver (event: Held): void {
    const done = attempt(event).catch(witness.troubled).finally(() => {
      delivering.delete(event.ownerKey)
      look()
    })
    delivering.set(event.ownerKey, done)
  }

  async function takeUp (event: DueEvent): Promise<void> {
    if (isStopped || !isAllowed() || delivering.size >= atOnce || delivering.has(event.ownerKey)) return
    const held = await outbox.hold(event, heldForMs)
    if (held !== undefined) deliver(held)
  }

  async function lookOnce (): Promise<void> {
    if (!isAllowed() || delivering.size >= atOnce) return
    for (const event of await outbox.due(2 * atOnce)) await takeUp(event)
  }

  async function lookUntilSeen (): Promise<void> {
    do {
      isAskedAgain = false
      await lookOnce().catch(witness.troubled)
    } while (isAskedAgain)
    looking = undefined
  }

  /** Sends what is due. Asked while it looks, it looks once more: what came meanwhile may have been missed. */
  function look (): void {
    if (isStopped) return
    isAskedAgain = true
    looking ??= lookUntilSeen()
  }

  return {
    look,

    /** Begins with no other, and waits for those that are being sent. */
    async stop (): Promise<void> {
      isStopped = true
      await looking
      await Promise.all(delivering.values())
    },
  }
}
