// How the gateways on one database agree on which of them does what only one is to do, and tell each other what has happened. What that is, others know.
import { randomUUID } from 'node:crypto'
import type { DatabaseAddress } from '../config.ts'

/**
 * erased: an owner was, and what is in flight of them ends. told: there is an event to deliver. holding, letGo: of a resumable upload,
 * by whoever tells. cached: bytes that were put into the picture cache. reconnected: whoever hears this may have missed others.
 */
export type Topic = 'erased' | 'told' | 'holding' | 'letGo' | 'cached' | 'reconnected'

/** `from`: the process that told it. */
type Listener = (text: string, from: string) => void

export type Coordination = {
  /** This process, as others hear of it. */
  readonly id: string
  /** Whether this process is, at this moment, the one that does what only one is to do. */
  leads (): boolean
  /**
   * Aborts when this process knows that it does not lead any more, which may be some seconds after `leads` says so; aborted already when it
   * does not lead now. What must not be done twice is claimed in the database as well.
   */
  readonly term: AbortSignal
  /** `listener` is called whenever this process begins to lead, unless it does so from the start. */
  onLead (listener: () => void): void
  /**
   * To all who hear, here and in the other processes. Who is cut off at that moment never hears of it: what counts is to be looked for
   * now and then as well. `text`: up to 7000 bytes.
   */
  tell (topic: Exclude<Topic, 'reconnected'>, text: string): void
  hear (topic: Topic, listener: Listener): void
  /** For a stop: another one leads from now on. What is told is heard still. */
  stepDown (): Promise<void>
  close (): Promise<void>
}

export type Witness = {
  info (message: string): void
  warn (message: string, error?: unknown): void
}

type Options = {
  address: DatabaseAddress
  /** Nothing is done in the background then, by anybody. */
  isReadOnly: boolean
  witness: Witness
}

export async function openCoordination ({ address, isReadOnly, witness }: Options): Promise<Coordination> {
  if (address.kind === 'sqlite' || isReadOnly) return createLoneCoordination({ leads: !isReadOnly })
  const { openPostgresCoordination } = await import('./postgres/coordination.ts')
  return openPostgresCoordination({ url: address.url, witness })
}

/** Each process on an embedded database leads: what several do at once there is safe, and nobody else hears. */
export function createLoneCoordination ({ leads = true } = {}): Coordination {
  const id = randomUUID()
  const listeners = createListeners()
  const term = leads ? new AbortController().signal : AbortSignal.abort()
  return {
    id,
    term,
    leads: () => leads,
    onLead () {},
    tell: (topic, text) => listeners.call(topic, text, id),
    hear: listeners.add,
    async stepDown () {},
    async close () {},
  }
}

export function createListeners () {
  const byTopic = new Map<Topic, Listener[]>()

  return {
    add (topic: Topic, listener: Listener): void {
      byTopic.set(topic, [...byTopic.get(topic) ?? [], listener])
    },

    call (topic: Topic, text: string, from: string): void {
      for (const listener of byTopic.get(topic) ?? []) listener(text, from)
    },
  }
}
