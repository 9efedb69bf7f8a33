// One connection to PostgreSQL over which gateways are coordinated, from its set-up to its loss. It is used for nothing else; who leads is not its business.
import { Socket } from 'node:net'
import pLimit from 'p-limit'
import pg from 'pg'
import { connectionTo, schemaIn } from './connection.ts'

/** The whole of an answer, also that to the connecting itself. */
const deadlineMs = 5_000

/**
 * Who asks nothing for so long is dropped by the server, and holds nothing any more: also a process that was suspended, whose system
 * answers for it. Its own view (`provenForMs`) ends before.
 */
export const droppedAfterMs = 6_000

/** A host that is gone is noticed within this time, also while something is being sent to it. Seconds, and milliseconds. */
const keepalives = { idle: 2, interval: 2, count: 2 }
const unacknowledgedMs = 6_000

/** A server that does not answer is left without a word. */
const farewellMs = 1_000

const channel = 'upload_gateway'

/** Of all gateways, and nobody else: "upld" as a number. The schema and the lock's name are the second half of the key; PostgreSQL keeps databases apart. */
const lockNumber = 0x75706c64

const settings = [
  ['idle_session_timeout', droppedAfterMs],
  ['statement_timeout', deadlineMs],
  ['tcp_keepalives_idle', keepalives.idle],
  ['tcp_keepalives_interval', keepalives.interval],
  ['tcp_keepalives_count', keepalives.count],
  ['tcp_user_timeout', unacknowledgedMs],
] as const

export type Session = {
  /** Resolves when the connection is lost: every question fails from then on. */
  readonly lost: Promise<Error>
  /** Resolves while the connection is there, and is this one. */
  prove (): Promise<void>
  /** Whether the lock is this session's from now on. Not to be asked again then. */
  tryLock (): Promise<boolean>
  unlock (): Promise<void>
  notify (messages: readonly string[]): Promise<void>
  end (): Promise<void>
}

type Options = { url: string, /** Hears what `notify` tells; without it, nothing is listened to. */ onMessage?: (message: string) => void, /** What the lock is for; without a name, who leads. */ lock?: string }

/** @throws what the driver says */
export async function openSession ({ url, onMessage, lock = '' }: Options): Promise<Session> {
  // Its own, as it may have to be torn down while nothing answers.
  const socket = new Socket()
  const client = new pg.Client({
    ...connectionTo(url, { isPatient: true }),
    stream: () => socket,
    application_name: 'upload-gateway coordination',
    connectionTimeoutMillis: deadlineMs,
    query_timeout: deadlineMs,
    keepAliveInitialDelayMillis: keepalives.idle * 1000,
  })
  const { promise: lost, resolve } = Promise.withResolvers<Error>()
  const lose = (error: Error) => {
    socket.destroy()
    resolve(error)
  }
  client.on('error', lose)
  client.on('end', () => lose(new Error('PostgreSQL has ended the connection')))
  // Several schemas of one database share the channel.
  const address = `${schemaIn(url)} `
  client.on('notification', ({ payload = '' }) => { if (payload.startsWith(address)) onMessage?.(payload.slice(address.length)) })

  // One question at a time, as the driver wants it.
  const turn = pLimit(1)
  const ask = <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> => turn(async () => {
    try {
      return (await client.query<Row>(text, values)).rows
    } catch (error) {
      lose(error instanceof Error ? error : new Error(String(error)))
      throw error
    }
  })

  const pid = async () => (await ask<{ pid: number }>('SELECT pg_backend_pid() AS pid'))[0]?.pid

  await client.connect().catch((error: unknown) => {
    socket.destroy()
    throw error
  })
  await ask('SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS wanted(name, value)', [settings.map(([name]) => name), settings.map(([, value]) => String(value))])
  if (onMessage !== undefined) await ask(`LISTEN ${channel}`)
  const ownPid = await pid()

  return {
    lost,

    async prove () {
      if (await pid() === ownPid) return
      const error = new Error('DATABASE_URL leads to a pooler that gives each query another connection. Gateways agree and listen over one that stays: give the address of PostgreSQL itself, or set the pooler to session mode')
      lose(error)
      throw error
    },

    async tryLock () {
      const [row] = await ask<{ held: boolean }>('SELECT pg_try_advisory_lock($1, hashtext($2)) AS held', [lockNumber, address + lock])
      return row?.held === true
    },

    async unlock () {
      await ask('SELECT pg_advisory_unlock($1, hashtext($2))', [lockNumber, address + lock])
    },

    async notify (messages) {
      await ask('SELECT pg_notify($1, message) FROM unnest($2::text[]) AS told(message)', [channel, messages.map((message) => `${address}${message}`)])
    },

    async end () {
      const timer = setTimeout(() => socket.destroy(), farewellMs)
      await client.end()
      clearTimeout(timer)
    },
  }
}
