// Gateways of one deployment, each on a port that it keeps: killed and started again, one after the other.
import type { Test } from 'tap'
import { call } from '../client.ts'
import { start, type Gateway, type Settings } from '../gateway.ts'
import { until } from '../machine.ts'
import { freePort } from '../postgres.ts'

export type Replica = {
  readonly url: string
  readonly folder: string
  readonly gateway: Gateway
  kill (): Promise<void>
  /** Ready when it returns. */
  start (): Promise<void>
  isReady (): Promise<boolean>
}

/** One for each folder: the same one where the volume is shared. All start at once, as many do. */
export async function startReplicas (t: Pick<Test, 'teardown'>, folders: readonly string[], settings: Settings): Promise<Replica[]> {
  return Promise.all(folders.map((folder) => startReplica(t, folder, settings)))
}

async function startReplica (t: Pick<Test, 'teardown'>, folder: string, settings: Settings): Promise<Replica> {
  const all = { ...settings, PORT: String(await freePort()) }
  let gateway = await start(t, folder, all)
  const isReady = () => call(gateway, '/health/ready', { idleMs: 2000 }).then(({ status }) => status === 200, () => false)
  return {
    folder,
    isReady,
    get url () { return gateway.url },
    get gateway () { return gateway },
    async kill () {
      await gateway.kill()
    },
    async start () {
      gateway = await start(t, folder, all)
      await until('a gateway that was started again is ready', isReady)
    },
  }
}
