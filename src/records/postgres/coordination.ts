// Gateways on one PostgreSQL: one leads, by an advisory lock that goes with its connection, and all hear each other through LISTEN. What is lost is connected again.
import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { Type } from 'typebox'
import { Check } from 'typebox/schema'
import { createListeners, type Coordination, type Topic, type Witness } from '../coordination.ts'
import { droppedAfterMs, openSession, type Session } from './coordination-session.ts'

/** Who leads proves that its connection is there so often; who does not tries to, as often. */
const checkEveryMs = 2_000

/** Since the last proof was asked for. The server drops a silent session a second later: nobody else leads before this one knows that it does not. */
const provenForMs = droppedAfterMs - 1_000

const firstPauseMs = 200
const longestPauseMs = 2_000

/** NOTIFY takes 8000 bytes; the rest is for what is around it. */
const maxTextBytes = 7_000

/** Told between two round trips; who tells more is not heard. */
const mostWaiting = 10_000

const Message = Type.Object({ topic: Type.String(), text: Type.String(), from: Type.String() })

type Options = { url: string, witness: Witness, monotonicMs?: () => number }

/** Returns when it is connected and has tried to lead, or when that failed: it is tried again then, in the background. */
export async function openPostgresCoordination ({ url, witness, monotonicMs = () => performance.now() }: Options): Promise<Coordination> {
  const id = randomUUID()
  const listeners = createListeners()
  const leadListeners: Array<() => void> = []
  const stopping = new AbortController()
  const waiting = new Set<string>()
  let session: Session | undefined
  let isSteppingDown = false
  let isTroubled = false
  let provenAtMs = -Infinity
  let lead: AbortController | undefined
  let flushing: Promise<void> | undefined

  const leads = (): boolean => lead !== undefined && monotonicMs() - provenAtMs < provenForMs

  function receive (message: string): void {
    const { topic, text, from } = parse(message)
    if (from !== id) listeners.call(topic as Topic, text, from)
  }

  function giveUpLead (reason: string): void {
    if (lead === undefined) return
    const ended = lead
    lead = undefined
    ended.abort(new Error(reason))
  }

  function connectionLost (error: Error): void {
    session = undefined
    waiting.clear()
    if (lead !== undefined) witness.warn('This gateway does not lead any more: its connection to PostgreSQL is lost.', error)
    else if (!isTroubled) witness.warn('The connection over which gateways hear each other is lost; it is made again.', error)
    isTroubled = true
    giveUpLead('this gateway does not lead any more')
  }

  async function prove (current: Session): Promise<void> {
    const askedAtMs = monotonicMs()
    if (lead === undefined && !isSteppingDown && await current.tryLock()) {
      if (isSteppingDown) return current.unlock()
      // Its end came with the answer, and took the lock along.
      if (session !== current) return
      lead = new AbortController()
      provenAtMs = askedAtMs
      witness.info('This gateway leads: of those on this database it does what only one is to do.')
      for (const listener of leadListeners) listener()
      return
    }
    await current.prove()
    provenAtMs = askedAtMs
  }

  async function connect (): Promise<Session> {
    const current = await openSession({ url, onMessage: receive })
    current.lost.then((error) => { if (session === current) connectionLost(error) })
    session = current
    if (isTroubled) witness.info('The connection over which gateways hear each other is there again.')
    isTroubled = false
    return current
  }

  async function reconnect (): Promise<Session> {
    const current = await connect()
    listeners.call('reconnected', '', id)
    return current
  }

  async function serve (first?: Session): Promise<void> {
    let current = first
    for (let failures = 0; !stopping.signal.aborted;) {
      try {
        current ??= await reconnect()
        failures = 0
        while (!stopping.signal.aborted) {
          await prove(current)
          await Promise.race([pause(checkEveryMs), current.lost])
        }
      } catch (error) {
        // Whoever lost a session has told that.
        if (current === undefined) trouble(error)
        current = undefined
        await pause(Math.min(firstPauseMs * 2 ** failures, longestPauseMs))
        failures += 1
      }
    }
  }

  function trouble (error: unknown): void {
    if (!isTroubled && !stopping.signal.aborted) witness.warn('PostgreSQL cannot be reached to hear the other gateways; it is tried again.', error)
    isTroubled = true
  }

  const pause = (ms: number): Promise<void> => setTimeout(ms, undefined, { signal: stopping.signal }).catch(() => {})

  async function flush (current: Session): Promise<void> {
    for (let messages = [...waiting]; messages.length > 0; messages = [...waiting]) {
      waiting.clear()
      await current.notify(messages)
    }
  }

  function flushSoon (): void {
    if (session === undefined || waiting.size === 0) return
    flushing ??= flush(session).catch(() => {}).finally(() => {
      flushing = undefined
      // What was told just now.
      flushSoon()
    })
  }

  async function leave (): Promise<void> {
    const last = session
    session = undefined
    await last?.end().catch(() => {})
  }

  let first: Session | undefined
  try {
    first = await connect()
    await prove(first)
  } catch (error) {
    trouble(error)
    first = undefined
  }
  const serving = serve(first)

  return {
    id,
    leads,
    get term () { return leads() && lead !== undefined ? lead.signal : AbortSignal.abort() },
    onLead: (listener) => { leadListeners.push(listener) },

    tell (topic, text) {
      if (Buffer.byteLength(text) > maxTextBytes) throw new RangeError(`more than ${maxTextBytes} bytes cannot be told`)
      listeners.call(topic, text, id)
      if (session === undefined || waiting.size >= mostWaiting) return
      waiting.add(JSON.stringify({ topic, text, from: id }))
      flushSoon()
    },

    hear: listeners.add,

    async stepDown () {
      isSteppingDown = true
      if (lead === undefined) return
      giveUpLead('this gateway stops')
      await session?.unlock().catch(() => {})
    },

    async close () {
      isSteppingDown = true
      giveUpLead('this gateway stops')
      await flushing
      stopping.abort()
      await leave()
      await serving
      // Made meanwhile.
      await leave()
    },
  }
}

/** What nobody here understands is nobody's: a newer gateway may tell it. */
function parse (message: string): { topic: string, text: string, from: string } {
  try {
    const value: unknown = JSON.parse(message)
    return Check(Message, value) ? value : unknown
  } catch {
    return unknown
  }
}

const unknown = { topic: '', text: '', from: '' }
