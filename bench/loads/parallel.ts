// Many large uploads at once, and what becomes meanwhile of who only wants a picture.
import { randomFillSync } from 'node:crypto'
import { glob, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { bearer } from '../../test/system/gateway.ts'
import { gateway, type Load, type Sample } from '../kit/bench.ts'
import { curl, headerArgs } from '../kit/curl.ts'
import { picture } from '../kit/pictures.ts'
import type { Side } from '../kit/rounds.ts'
import { serveGateway } from '../kit/servers.ts'
import { setAvatar } from '../kit/uploads.ts'
import { using } from '../kit/usage.ts'
import { wrk, type Rate } from '../kit/wrk.ts'

const uploads = 64
const megabytes = 100
const restMs = 2000

export const parallel: Load = {
  id: 'parallel',
  title: `A hot avatar over one connection, alone and during ${uploads} uploads of ${megabytes} MB at once`,
  unit: 'requests',
  async prepare ({ folder, seconds, started }) {
    const file = join(folder, 'file')
    await writeFile(file, randomFillSync(Buffer.alloc(megabytes * 1024 ** 2)))
    // The process that looks at the picture would be counted for a minute, and takes no part in the uploads.
    const first = started(await serveGateway(join(folder, 'volume')))
    await setAvatar(first.url, 'ada', await picture(50_000))
    await first.stop()
    const own = started(await serveGateway(join(folder, 'volume')))
    const { cpuMs, peakBytes } = await using([own], () => setTimeout(restMs))
    const atRest: Side<Sample> = { name: `${gateway}, at rest before all`, measure: async () => ({ perSecond: 0, cpuMs, peakBytes }) }
    const headers = await bearer('ada')
    const requests = [{ path: '/api/avatars/ada' }]
    const alone = await wrk(own.url, { requests, connections: 1, seconds, folder })

    async function during () {
      const isOver = new AbortController()
      const all = Promise.all(Array.from({ length: uploads }, () => curl(...headerArgs(headers), '--form', `file=@${file}`, `${own.url}/api/attachments`))).finally(() => isOver.abort())
      const rates: Rate[] = []
      const ask = await wrk(own.url, { requests, connections: 1, seconds: 1, folder })
      while (!isOver.signal.aborted) rates.push(await ask())
      await all
      for await (const path of glob('volume/attachments/*/*/*/*', { cwd: folder })) await rm(join(folder, path))
      const mean = (of: 'perSecond' | 'p50Ms' | 'p99Ms') => rates.reduce((sum, rate) => sum + rate[of], 0) / rates.length
      return { requests: rates.reduce((sum, rate) => sum + rate.requests, 0), perSecond: mean('perSecond'), p50Ms: mean('p50Ms'), p99Ms: mean('p99Ms') }
    }

    return {
      sides: [atRest, ...[[`${gateway}, alone`, alone], [`${gateway}, during the uploads`, during]].map(([name, ask]) => ({
        name: name as string,
        async measure () {
          const { result: { requests, perSecond, p50Ms, p99Ms }, cpuMs, peakBytes } = await using([own], ask as typeof alone)
          return { perSecond, p50Ms, p99Ms, cpuMs: cpuMs / requests, peakBytes }
        },
      }))],
      goals: [
        { of: `${gateway}, during the uploads`, to: `${gateway}, alone`, what: 'p99Ms', atMost: 5 },
        { of: `${gateway}, during the uploads`, to: atRest.name, what: 'peakBytes', isDifference: true, atMost: 150 * 1024 ** 2 },
      ],
    }
  },
}
