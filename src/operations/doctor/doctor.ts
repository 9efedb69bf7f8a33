// Everything that must be right around the gateway, looked at one by one, also when it does not start. Makes no volume and no database.
import type { Config, DatabaseAddress } from '../../config.ts'
import type { PrismaClient } from '../../records/database.ts'
import { viewDatabase } from '../../records/viewing.ts'
import { fileSystem, type FileSystem } from '../../storage/fs.ts'
import type { Home } from '../../storage/home.ts'
import { checking, ok, problem, type Check, type Seen } from './check.ts'
import { checkConfiguration } from './configuration.ts'
import { checkDatabase } from './database.ts'
import { checkNetwork } from './network.ts'
import { homeToLookAt, unopened } from './object-store.ts'
import { checkScanner } from './scanner.ts'
import { checkVolume } from './volume.ts'
import { checkWebhook, undelivered } from './webhook.ts'

export type Diagnosis = { readonly checks: readonly Check[], readonly counts: Readonly<Record<Check['level'], number>> }

type Options = {
  /** Why the settings are not valid; `config` is then what can still be looked at. */
  readonly invalid?: string | undefined
  /** Where the gateway is reached, instead of PUBLIC_URL. */
  readonly url?: string | undefined
  readonly fs?: FileSystem
  readonly now?: () => Date
  readonly monotonicMs?: () => number
}

/** A clock that runs on beside the wall's must agree with it over a few seconds. */
const jumpMs = 1000

export async function diagnose (config: Config, options: Options = {}): Promise<Diagnosis> {
  const home = await homeToLookAt(config, options.fs)
  try {
    return await diagnoseAt(home, config, options)
  } finally {
    if (typeof home !== 'string') await home.close()
  }
}

/** `home`: or why it cannot be opened. */
async function diagnoseAt (home: Home | string, config: Config, { invalid, url = config.publicUrl, now = () => new Date(), monotonicMs = () => performance.now() }: Options): Promise<Diagnosis> {
  const began = { wall: now().getTime(), monotonic: monotonicMs() }
  const fs = typeof home === 'string' ? fileSystem : home.fs
  const volume = typeof home === 'string' ? await checking('volume', [{ name: 'object store', look: () => unopened(home) }]) : await checkVolume({ config, fs, monotonicMs })
  const checks = [
    ...await checkConfiguration(config, invalid),
    ...volume,
    ...await checkDatabase({ config, fs, now }),
    ...await checkNetwork({ url, config, now, avatar: await viewed(config.database, anAvatar), isExpected: volume.some(({ name, detail }) => name === 'processes' && /gateway( \(read-only\))? \(process \d+\)/.test(detail)) }),
    ...await checkScanner(config),
    ...await checkWebhook(config, await viewed(config.database, (client) => undelivered(client, now)), now),
    ...await checking('clock', [{ name: 'steadiness', look: () => steadiness(now().getTime() - began.wall, monotonicMs() - began.monotonic) }]),
  ]
  const count = (level: Check['level']) => checks.filter((check) => check.level === level).length
  return { checks, counts: { ok: count('ok'), warning: count('warning'), problem: count('problem'), unknown: count('unknown') } }
}

const anAvatar = async (client: PrismaClient): Promise<{ userId: string, blobId: string } | undefined> => await client.avatar.findFirst({ select: { userId: true, blobId: true } }) ?? undefined

async function viewed<T> (address: DatabaseAddress, look: (client: PrismaClient) => Promise<T>): Promise<T | undefined> {
  try {
    const { client, close } = await viewDatabase(address)
    try {
      return await look(client)
    } finally {
      await close()
    }
  } catch {
    // Why not is told with the database.
    return undefined
  }
}

function steadiness (wallMs: number, monotonicMs: number): Seen {
  if (Math.abs(wallMs - monotonicMs) <= jumpMs) return ok('The clock did not jump meanwhile.')
  return problem(`The clock jumped by ${Math.round((wallMs - monotonicMs) / 1000)} s while this ran.`, 'Let NTP slew the clock instead of setting it.')
}
