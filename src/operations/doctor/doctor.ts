// Everything that must be right around the gateway, looked at one by one, also when it does not start. Makes no volume and no database.
import type { Config } from '../../config.ts'
import type { PrismaClient } from '../../records/database.ts'
import { viewDatabase } from '../../records/viewing.ts'
import { fileSystem, type FileSystem } from '../../storage/fs.ts'
import { checking, ok, problem, type Check, type Seen } from './check.ts'
import { checkConfiguration } from './configuration.ts'
import { checkDatabase } from './database.ts'
import { checkNetwork } from './network.ts'
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

export async function diagnose (config: Config, { invalid, url = config.publicUrl, fs = fileSystem, now = () => new Date(), monotonicMs = () => performance.now() }: Options = {}): Promise<Diagnosis> {
  const began = { wall: now().getTime(), monotonic: monotonicMs() }
  const volume = await checkVolume({ config, fs, monotonicMs })
  const checks = [
    ...await checkConfiguration(config, invalid),
    ...volume,
    ...await checkDatabase({ config, fs, now }),
    ...await checkNetwork({ url, config, now, avatar: await viewed(config.databaseFile, anAvatar), isExpected: volume.some(({ name, detail }) => name === 'processes' && /gateway \(process \d+\)/.test(detail)) }),
    ...await checkScanner(config),
    ...await checkWebhook(config, await viewed(config.databaseFile, (client) => undelivered(client, now)), now),
    ...await checking('clock', [{ name: 'steadiness', look: () => steadiness(now().getTime() - began.wall, monotonicMs() - began.monotonic) }]),
  ]
  const count = (level: Check['level']) => checks.filter((check) => check.level === level).length
  return { checks, counts: { ok: count('ok'), warning: count('warning'), problem: count('problem'), unknown: count('unknown') } }
}

const anAvatar = async (client: PrismaClient): Promise<{ userId: string, blobId: string } | undefined> => await client.avatar.findFirst({ select: { userId: true, blobId: true } }) ?? undefined

async function viewed<T> (file: string, look: (client: PrismaClient) => Promise<T>): Promise<T | undefined> {
  try {
    const { client, close } = await viewDatabase(file)
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
