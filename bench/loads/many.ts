// A volume with a million files beside one with a thousand: what it costs to have so many.
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pLimit from 'p-limit'
import { bearer } from '../../test/system/gateway.ts'
import { asking, type Goal, type Load, type Sample, type Surroundings } from '../kit/bench.ts'
import { fillVolume } from '../kit/filling.ts'
import { picture } from '../kit/pictures.ts'
import type { Side } from '../kit/rounds.ts'
import { serveGateway } from '../kit/servers.ts'
import { attach, setAvatar } from '../kit/uploads.ts'
import type { Request } from '../kit/wrk.ts'

const counts = [1000, 1_000_000]
/** Of what the volume is filled with. */
const bytes = 100
const boundary = '----bench'
/** Nothing in the background. */
const settings = { SWEEP_INTERVAL_SECONDS: '86400', AUDIT_INTERVAL_SECONDS: '0' }

async function sides (surroundings: Surroundings, count: number): Promise<Side<Sample>[]> {
  const { folder, started } = surroundings
  const volume = join(folder, `volume-${count}`)
  // It makes the tables.
  await (await serveGateway(volume, settings)).stop()
  await fillVolume(volume, count, bytes)
  const own = started(await serveGateway(volume, settings))
  process.stdout.write(`With ${count} files it was ready after ${Math.round(own.startMs)} ms.\n`)
  const headers = await bearer('ada')
  await setAvatar(own.url, 'ada', await picture(50_000))
  const etag = (await fetch(`${own.url}/api/avatars/ada`)).headers.get('etag') ?? ''
  const file = await attach(own.url, 'ada', randomBytes(50_000))
  const large = await attach(own.url, 'ada', randomBytes(50_000_000))
  // More than the caches hold.
  const cold = await pLimit(16).map(Array.from({ length: 3000 }), () => attach(own.url, 'bob', randomBytes(50_000), 'public'))
  const form = join(folder, `form-${count}`)
  await writeFile(form, Buffer.concat([Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n`), randomBytes(50_000), Buffer.from(`\r\n--${boundary}--\r\n`)]))
  const kinds: Record<string, { requests: readonly Request[], connections: number }> = {
    'hot avatar': { requests: [{ path: '/api/avatars/ada' }], connections: 32 },
    304: { requests: [{ path: '/api/avatars/ada', headers: { 'If-None-Match': etag } }], connections: 32 },
    variant: { requests: [{ path: '/api/avatars/ada?size=64' }], connections: 32 },
    'private file': { requests: [{ path: file, headers }], connections: 32 },
    'cold files': { requests: cold.map((path) => ({ path })), connections: 32 },
    ranges: { requests: Array.from({ length: 1000 }, (_, index) => ({ path: large, headers: { ...headers, Range: `bytes=${index * 40_000}-${index * 40_000 + 4095}` } })), connections: 32 },
    uploads: { requests: [{ path: '/api/attachments', method: 'POST', headers: { ...headers, 'Content-Type': `multipart/form-data; boundary=${boundary}` }, body: form }], connections: 16 },
  }
  return Promise.all(Object.entries(kinds).map(([kind, asked]) => asking(surroundings, `${kind}, ${count} files`, own, asked)))
}

export const many: Load = {
  id: 'many',
  title: `${counts[1]} stored files beside ${counts[0]}`,
  unit: 'requests',
  async prepare (surroundings) {
    const [few = [], lots = []] = [await sides(surroundings, counts[0] ?? 0), await sides(surroundings, counts[1] ?? 0)]
    const goals = few.flatMap(({ name: to }, index): Goal[] => {
      const of = lots[index]?.name ?? ''
      return [{ of, to, what: 'p50Ms', atMost: 1.2 }, { of, to, what: 'p99Ms', atMost: 2 }]
    })
    return { sides: few.flatMap((side, index) => [side, ...lots.slice(index, index + 1)]), goals }
  },
}
