// A volume with a million files beside one with a thousand: what it costs to have so many.
import { randomBytes } from 'node:crypto'
import { glob, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pLimit from 'p-limit'
import { bearer } from '../../test/system/gateway.ts'
import { familyCpuMs } from '../../test/system/process.ts'
import { asking, type Goal, type Load, type Sample, type Surroundings } from '../kit/bench.ts'
import { fillVolume } from '../kit/filling.ts'
import { picture } from '../kit/pictures.ts'
import type { Side } from '../kit/rounds.ts'
import { serveGateway } from '../kit/servers.ts'
import { sweeping } from '../kit/sweep.ts'
import { print } from '../kit/table.ts'
import { attach, setAvatar } from '../kit/uploads.ts'
import { using } from '../kit/usage.ts'
import { wrk, type Request } from '../kit/wrk.ts'

const few = 1000
const lots = 1_000_000
const largeBytes = 20_000_000
const starts = 5
const sweepAfterSeconds = 6
/** Nothing in the background. */
const settings = { SWEEP_INTERVAL_SECONDS: '86400', AUDIT_INTERVAL_SECONDS: '0' }
const hot: Request = { path: '/api/avatars/ada' }
const boundary = '----bench'

const named = (kind: string, count: number): string => `${kind}, ${count} files`

/** A volume with so many, and how long a gateway takes to start upon it. */
async function fill ({ started }: Surroundings, volume: string, count: number): Promise<Side<Sample>> {
  // It makes the tables.
  await started(await serveGateway(volume, settings)).stop()
  await fillVolume(volume, count)
  const samples: Sample[] = []
  for (let start = 0; start < starts; start += 1) {
    const own = started(await serveGateway(volume, settings))
    const { peakBytes } = await using([own], async () => {})
    samples.push({ perSecond: 1000 / own.startMs, p50Ms: own.startMs, cpuMs: familyCpuMs(own.pid), peakBytes })
    await own.stop()
  }
  let round = 0
  return { name: named('start', count), measure: async () => samples[round++ % starts] as Sample }
}

/** Measured once. */
async function sweep ({ folder, started }: Surroundings, volume: string, count: number): Promise<Side<Sample>[]> {
  const own = started(await serveGateway(volume, { ...settings, SWEEP_INTERVAL_SECONDS: String(sweepAfterSeconds) }))
  await setAvatar(own.url, 'ada', await picture(50_000))
  const { tookMs, heldUpMs, alone, during } = await sweeping(own, sweepAfterSeconds, await wrk(own.url, { requests: [hot], connections: 1, seconds: 1, folder }))
  await own.stop()
  print(`A sweep of ${count} files took ${(tookMs / 1000).toFixed(1)} s; the event loop was held up for ${heldUpMs.toFixed(0)} ms at most.`)
  const once = (kind: string, sample: Sample): Side<Sample> => ({ name: named(kind, count), measure: async () => sample })
  return [
    once('a sweep', { perSecond: count / tookMs * 1000, p50Ms: tookMs, cpuMs: during.cpuMs, peakBytes: during.peakBytes }),
    once('hot avatar over one connection', alone),
    once('the same during a sweep', during),
  ]
}

async function form (path: string, size: number): Promise<string> {
  await writeFile(path, Buffer.concat([Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n`), randomBytes(size), Buffer.from(`\r\n--${boundary}--\r\n`)]))
  return path
}

/** Each kind of request of the other loads, upon the same gateway. */
async function sides (surroundings: Surroundings, volume: string, count: number): Promise<Side<Sample>[]> {
  const { folder, seconds } = surroundings
  const own = surroundings.started(await serveGateway(volume, settings))
  await setAvatar(own.url, 'ada', await picture(50_000))
  const headers = await bearer('ada')
  const etag = (await fetch(own.url + hot.path)).headers.get('etag') ?? ''
  const file = await attach(own.url, 'ada', randomBytes(50_000))
  // One byte more than those that are removed.
  const large = await attach(own.url, 'ada', randomBytes(largeBytes + 1))
  // More than the caches hold.
  const cold = await pLimit(16).map(Array.from({ length: 3000 }, () => randomBytes(50_000)), (body) => attach(own.url, 'bob', body, 'public'))
  const body = join(folder, `body-${count}`)
  await writeFile(body, randomBytes(largeBytes))
  const multipart = { ...headers, 'Content-Type': `multipart/form-data; boundary=${boundary}` }
  const post = { path: '/api/attachments', method: 'POST', headers: multipart }
  const largePost = { ...post, body: await form(`${body}-large`, largeBytes) }
  const kinds: Record<string, { requests: readonly Request[], connections: number }> = {
    'hot avatar': { requests: [hot], connections: 32 },
    304: { requests: [{ ...hot, headers: { 'If-None-Match': etag } }], connections: 32 },
    variant: { requests: [{ path: `${hot.path}?size=64` }], connections: 32 },
    'private file': { requests: [{ path: file, headers }], connections: 32 },
    'cold files': { requests: cold.map((path) => ({ path })), connections: 32 },
    'large downloads': { requests: [{ path: large, headers }], connections: 2 },
    ranges: { requests: Array.from({ length: 1000 }, (_, index) => ({ path: large, headers: { ...headers, Range: `bytes=${index * 15_000}-${index * 15_000 + 4095}` } })), connections: 32 },
    uploads: { requests: [{ ...post, body: await form(`${body}-form`, 50_000) }], connections: 16 },
    'large uploads': { requests: [largePost], connections: 2 },
    'resumable uploads': { requests: [{ path: '/api/resumable', method: 'POST', headers: { ...headers, 'Tus-Resumable': '1.0.0', 'Upload-Length': String(largeBytes), 'Content-Type': 'application/offset+octet-stream' }, body }], connections: 2 },
  }
  const asked = await Promise.all(Object.entries(kinds).map(([kind, requests]) => asking(surroundings, named(kind, count), own, requests)))
  const one = await asking(surroundings, named('hot avatar during 64 large uploads', count), own, { requests: [hot], connections: 1 })
  const sending = await wrk(own.url, { requests: [largePost], connections: 64, seconds, folder })
  const during = { name: one.name, measure: async () => (await Promise.all([one.measure(), sending()]))[0] }
  return [...asked, during].map(({ name, measure }) => ({
    name,
    async measure () {
      const sample = await measure()
      await removeLarge(volume)
      return sample
    },
  }))
}

/** What was sent in a round: disks are finite. */
async function removeLarge (volume: string): Promise<void> {
  const day = new Date().toISOString().slice(0, 10).replaceAll('-', '/')
  for await (const path of glob(`attachments/${day}/*.bin`, { cwd: volume })) {
    const file = join(volume, path)
    if ((await stat(file)).size === largeBytes) await rm(file)
  }
}

export const many: Load = {
  id: 'many',
  title: `${lots} stored files beside ${few}`,
  unit: 'requests',
  async prepare (surroundings) {
    const volumes = [few, lots].map((count) => ({ count, volume: join(surroundings.folder, `volume-${count}`) }))
    const alone: Side<Sample>[] = []
    for (const { count, volume } of volumes) alone.push(await fill(surroundings, volume, count))
    alone.push(...await sweep(surroundings, volumes[1]?.volume ?? '', lots))
    const [ones = [], others = []] = [await sides(surroundings, volumes[0]?.volume ?? '', few), await sides(surroundings, volumes[1]?.volume ?? '', lots)]
    const goals = ones.flatMap(({ name: to }, index): Goal[] => {
      const of = others[index]?.name ?? ''
      return [{ of, to, what: 'p50Ms', atMost: 1.2 }, { of, to, what: 'p99Ms', atMost: 2 }]
    })
    goals.push(
      { of: named('start', lots), what: 'p50Ms', atMost: 2000 },
      { of: named('a sweep', lots), what: 'p50Ms', atMost: 60_000 },
      { of: named('the same during a sweep', lots), to: named('hot avatar over one connection', lots), what: 'p99Ms', atMost: 5 }
    )
    return { sides: [...ones.flatMap((side, index) => [side, ...others.slice(index, index + 1)]), ...alone], goals }
  },
}
