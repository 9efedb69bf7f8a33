// A load upon several gateways behind nginx, while they are killed and started again in turn, and other things happen that are planned.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { secret, temporaryFolder } from '../../helper.ts'
import { nginx } from '../fixtures/nginx.ts'
import { pause } from '../machine.ts'
import type { Load } from './generator.ts'
import type { Failure, Ledger } from './ledger.ts'
import { createRandom } from './random.ts'
import type { Replica } from './replicas.ts'

const generator = fileURLToPath(new URL('generator.ts', import.meta.url))

/** Happens once, after this part of the time. */
export type Incident = {
  readonly after: number
  readonly name: string
  /** Whether requests may fail for good meanwhile, and for as long after it as a gateway may take to be back. */
  readonly isOutage?: boolean
  run (): Promise<void>
}

export type Campaign = {
  readonly ledger: Ledger
  readonly kills: number
  /** Of those that nothing excuses. */
  readonly failures: readonly Failure[]
  readonly excused: readonly Failure[]
  /** What happened when, in seconds since the start. */
  readonly story: readonly string[]
}

/** `seconds`: how long it goes on at least. */
type Options = Pick<Load, 'seed' | 'users' | 'seconds'> & Partial<Load> & { readonly replicas: readonly Replica[], readonly incidents: readonly Incident[] }

const backWithinMs = 5000
/** Longer than the time that is asked for it never goes on. */
const mostOverMs = 600_000

export async function campaign (t: Test, { replicas, incidents, ...load }: Options): Promise<Campaign> {
  const { url } = await nginx(t, replicas.map((replica) => replica.url))
  const file = join(await temporaryFolder(t), 'ledger.json')
  const child = spawn(execPath, [generator, JSON.stringify({ url, secret, ledger: file, ...load, seconds: load.seconds + mostOverMs / 1000 } satisfies Load)], { env: { PATH: process.env['PATH'] }, stdio: ['ignore', 'pipe', 'inherit'] })
  child.stdout.setEncoding('utf8').on('data', (text: string) => t.comment(text.trim()))
  const ended = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })

  const startedAt = Date.now()
  const part = () => (Date.now() - startedAt) / (load.seconds * 1000)
  const random = createRandom(`${load.seed} disturbances`)
  const story: string[] = []
  const outages: { from: number, to: number }[] = []
  const planned = incidents.toSorted((one, other) => one.after - other.after)
  let kills = 0

  async function telling (name: string, run: () => Promise<void>): Promise<void> {
    const at = Date.now()
    await run()
    story.push(`${((at - startedAt) / 1000).toFixed(1)} s: ${name}, ${((Date.now() - at) / 1000).toFixed(1)} s`)
  }

  async function happen ({ name, isOutage = false, run }: Incident): Promise<void> {
    const from = Date.now()
    await telling(name, run)
    if (isOutage) outages.push({ from, to: Date.now() + backWithinMs })
  }

  async function killNext (): Promise<void> {
    const at = kills % replicas.length
    const replica = replicas[at]
    if (replica === undefined) throw new Error('There are no replicas.')
    kills += 1
    await telling(`gateway ${at + 1} killed and started again`, async () => {
      await replica.kill()
      await pause(random.below(2000))
      await replica.start()
    })
  }

  // On a machine with other work it takes as long as it takes until each gateway was killed and all that is planned has happened.
  while ((part() < 1 || planned.length > 0 || kills < replicas.length) && child.exitCode === null) {
    await pause(1000 + random.below(4000))
    const [incident] = planned
    if (incident === undefined || part() < incident.after) await killNext()
    else {
      planned.shift()
      await happen(incident)
    }
  }
  child.kill('SIGTERM')
  const [code] = await ended
  if (code !== 0) throw new Error(`The load ended with ${code}.`)
  const ledger = JSON.parse(await readFile(file, 'utf8')) as Ledger
  const isExcused = ({ startedAt, endedAt }: Failure) => outages.some(({ from, to }) => startedAt <= to && endedAt >= from)
  return { ledger, kills, story, failures: ledger.failures.filter((failure) => !isExcused(failure)), excused: ledger.failures.filter(isExcused) }
}
