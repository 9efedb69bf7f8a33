// How fast the gateway makes variants of camera photos, against the vipsthumbnail command on all cores; and how fast it serves one that is
// made, against nginx serving the same file. Side by side in one run, in rounds: on a machine with other work, the ratios are what counts.
//   node bench/variants.ts [rounds, 5] [photos, 12] [whole seconds a server is asked in each round, 1]
// Up to three minutes. It needs libvips-tools, nginx-light and wrk of Debian, and 1 GB in the temporary folder. `taskset -c 2,3 node bench/variants.ts` leaves other cores alone.
import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import pLimit from 'p-limit'
import sharp from 'sharp'
import { attachmentIn, call, json } from '../test/system/client.ts'
import { bearer, type Settings } from '../test/system/gateway.ts'
import { toolPath } from '../test/system/machine.ts'
import { childrenCpuMs } from '../test/system/process.ts'
import { needPrograms } from './kit/programs.ts'
import { interleaved, median, ratios, spread, type Side } from './kit/rounds.ts'
import { serveGateway, serveNginx, type Server } from './kit/servers.ts'
import { head, print, row } from './kit/table.ts'
import { wrk, type Rate } from './kit/wrk.ts'

const [rounds = 5, photoCount = 12, seconds = 1] = process.argv.slice(2).map(Number)
const cores = availableParallelism()
const connections = 32
/** Of the rounds of one comparison: a slow machine gets fewer of them. */
const mostMs = 22_000
/** Of the gateway: those of its pictures can be given as its environment has them, such as IMAGE_MEMORY_BYTES. */
const settings = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('IMAGE_'))) as Settings

/** `cut` and `encoding` are what makes vipsthumbnail do the same; trellis quantisation, which makes a JPEG smaller, Debian's has not. */
type Kind = { readonly name: string, readonly of: 'avatar' | 'preview', readonly size: number, readonly format: 'jpeg' | 'webp', readonly cut: readonly string[], readonly encoding: string }

const avatar = { of: 'avatar', size: 256, cut: ['--size', '256x256', '--smartcrop', 'attention'] } as const
const preview = { of: 'preview', size: 800, cut: ['--size', '800x800>'] } as const
const jpeg = { format: 'jpeg', encoding: 'Q=80,optimize_coding,interlace,strip' } as const
const webp = { format: 'webp', encoding: 'Q=79,strip' } as const
const small: Kind = { name: 'avatar, 256 px, WebP', ...avatar, ...webp }
const large: Kind = { name: 'preview, 800 px, JPEG', ...preview, ...jpeg }
const kinds = [{ name: 'avatar, 256 px, JPEG', ...avatar, ...jpeg }, small, large, { name: 'preview, 800 px, WebP', ...preview, ...webp }]

type Photo = { readonly file: string, readonly bytes: Buffer }

/** `cpuMs`: of all processes that had a part in it, for each photo. */
type Made = { readonly perSecond: number, readonly cpuMs: number }

/** Soft large shapes, finer ones, and the grain of a sensor: baseline JPEG of 12 megapixels that takes as many bytes, in each size, as that of a camera. */
async function photo (): Promise<Buffer> {
  const [width, height] = [4032, 3024]
  const clouds = (scale: number, sigma: number) => sharp({ create: { width: Math.ceil(width / scale), height: Math.ceil(height / scale), channels: 3, background: 'gray', noise: { type: 'gaussian', mean: 128, sigma } } })
    .resize(width, height, { kernel: 'cubic', fit: 'fill' }).raw().toBuffer()
  const layers = await Promise.all([clouds(400, 60), clouds(12, 12), clouds(1, 8)])
  const [shapes = Buffer.alloc(0), ...finer] = layers
  const raw = { width, height, channels: 3 } as const
  return sharp(shapes, { raw }).composite(finer.map((input) => ({ input, raw, blend: 'hard-light' }))).jpeg({ quality: 88 }).toBuffer()
}

async function makePhotos (folder: string): Promise<Photo[]> {
  return pLimit(cores).map(Array.from({ length: photoCount }, (_, index) => join(folder, `${index}.jpg`)), async (file) => {
    const bytes = await photo()
    await writeFile(file, bytes)
    return { file, bytes }
  })
}

/** The address of a variant that nobody has asked for yet. */
async function store (url: string, { of, size, format }: Kind, { bytes }: Photo): Promise<string> {
  const query = `?size=${size}&format=${format}`
  const headers = { ...await bearer('ada'), 'content-type': 'application/octet-stream' }
  if (of === 'preview') return url + attachmentIn(await call({ url }, '/api/attachments?visibility=public', { method: 'POST', headers, body: bytes })).url.replace(/content$/, 'preview') + query
  const answer = await call({ url }, '/api/avatars/me', { method: 'PUT', headers, body: bytes })
  if (answer.status > 201) throw new Error(`The upload was answered with ${answer.status}: ${answer.body}`)
  return url + json(answer).versionedUrl + query
}

async function ask (address: string): Promise<Buffer> {
  const answer = await fetch(address)
  const bytes = Buffer.from(await answer.arrayBuffer())
  if (answer.status !== 200) throw new Error(`${address} was answered with ${answer.status}: ${bytes}`)
  return bytes
}

async function making (work: () => Promise<unknown>): Promise<Made> {
  const [start, used] = [performance.now(), childrenCpuMs(process.pid)]
  await work()
  return { perSecond: photoCount / (performance.now() - start) * 1000, cpuMs: (childrenCpuMs(process.pid) - used) / photoCount }
}

/** Each round stores all photos anew, which is not measured, and asks for variants that nobody has asked for. */
const gatewayMaking = (url: string, kind: Kind, photos: readonly Photo[]): Side<Made> => ({
  name: 'gateway',
  async measure () {
    const addresses = await pLimit(cores).map(photos, (photo) => store(url, kind, photo))
    return making(() => pLimit(2 * cores).map(addresses, ask))
  },
})

/** One process at a time for each core, that makes `each` photos. */
const vipsMaking = (name: string, { of, format, cut, encoding }: Kind, photos: readonly Photo[], folder: string, { each, env = {} }: { each: number, env?: NodeJS.ProcessEnv }): Side<Made> => ({
  name,
  measure: () => making(async () => {
    const shares = Array.from({ length: Math.ceil(photos.length / each) }, (_, index) => photos.slice(index * each, (index + 1) * each))
    await pLimit(cores).map(shares, (share) => promisify(execFile)('vipsthumbnail', [...cut, '-o', join(folder, `%s-${of}.${format}[${encoding}]`), ...share.map(({ file }) => file)], { env: { PATH: toolPath, ...env } }))
  }),
})

/** By wrk, over connections that are kept open. */
async function serving (name: string, address: string, folder: string): Promise<Side<Rate>> {
  const { origin, pathname, search } = new URL(address)
  return { name, measure: await wrk(origin, { requests: [{ path: pathname + search }], connections, seconds, folder }) }
}

async function compareMaking (url: string, kind: Kind, photos: readonly Photo[], folder: string): Promise<void> {
  const thrifty = { VIPS_CONCURRENCY: '1' }
  const vips = [
    vipsMaking('a process for each photo', kind, photos, folder, { each: 1 }),
    vipsMaking('the same, VIPS_CONCURRENCY=1', kind, photos, folder, { each: 1, env: thrifty }),
    vipsMaking('a process for each core, VIPS_CONCURRENCY=1', kind, photos, folder, { each: Math.ceil(photos.length / cores), env: thrifty }),
  ]
  const samples = await interleaved([gatewayMaking(url, kind, photos), ...vips], { rounds, mostMs })
  const rates = (name: string) => samples.get(name)?.map(({ perSecond }) => perSecond) ?? []
  const best = vips.map(({ name }) => name).reduce((one, other) => median(rates(one)) >= median(rates(other)) ? one : other)
  const cells = [...samples].map(([name, made]) => `${median(rates(name)).toFixed(1)} (${Math.round(median(made.map(({ cpuMs }) => cpuMs)))} ms)`)
  print(row(kind.name, ...cells, spread(ratios(rates('gateway'), rates(best)))))
}

/** @throws when the two did not make the same: sizes and formats */
async function compareSizes (url: string, kind: Kind, photo: Photo, folder: string): Promise<string> {
  const ours = await ask(await store(url, kind, photo))
  const theirs = join(folder, `0-${kind.of}.${kind.format}`)
  const [one, other] = await Promise.all([sharp(ours).metadata(), sharp(theirs).metadata()])
  if (one.width !== other.width || one.height !== other.height || one.format !== other.format) throw new Error(`They made different pictures: ${JSON.stringify([one, other])}`)
  return `${kind.name}: ${ours.length} and ${(await stat(theirs)).size} bytes`
}

async function compareServing (url: string, kind: Kind, photo: Photo, folder: string, nginx: { one: string, all: string }): Promise<void> {
  const address = await store(url, kind, photo)
  const bytes = await ask(address)
  const name = `${kind.of}.${kind.format}`
  await writeFile(join(folder, name), bytes)
  const sides = await Promise.all(([['gateway', address], ['nginx, one worker', `${nginx.one}/${name}`], ['nginx, a worker for each core', `${nginx.all}/${name}`]] as const).map(([side, at]) => serving(side, at, folder)))
  const samples = await interleaved(sides, { rounds, mostMs })
  const rates = (side: string) => samples.get(side)?.map(({ perSecond }) => perSecond)
  for (const [side, served] of samples) {
    const of = (what: keyof Rate) => median(served.map((sample) => sample[what]))
    print(row(`${kind.name}, ${bytes.length} bytes`, side, Math.round(of('perSecond')), `${of('p50Ms').toFixed(1)} ms`, `${of('p99Ms').toFixed(1)} ms`, side === 'gateway' ? '' : spread(ratios(rates('gateway'), rates(side)))))
  }
}

await needPrograms({ vipsthumbnail: 'libvips-tools', nginx: 'nginx-light', wrk: 'wrk' })
const servers: Server[] = []

function started (server: Server): Server {
  servers.push(server)
  return server
}

const root = await mkdtemp(join(tmpdir(), 'upload-gateway-bench-'))
try {
  // The workers of nginx run as another user.
  await chmod(root, 0o755)
  const [volume, originals, made, www] = ['volume', 'originals', 'made', 'www'].map((name) => join(root, name)) as [string, string, string, string]
  await Promise.all([volume, originals, made, www].map((folder) => mkdir(folder)))
  const photos = await makePhotos(originals)
  const [first] = photos
  if (first === undefined) throw new Error('There must be photos.')
  const { url } = started(await serveGateway(volume, { ...settings, AVATAR_MAX_BYTES: String(20 * 1024 ** 2) }, { hasAll: true }))
  const average = photos.reduce((sum, { bytes }) => sum + bytes.length, 0) / photos.length
  print(`${photos.length} photos of 12 megapixels, ${(average / 1e6).toFixed(1)} MB on average; ${cores} cores, medians of ${rounds} rounds at most; in brackets the time of processors that a photo takes.\n`)

  // The first jobs of a process are slow.
  await gatewayMaking(url, small, photos).measure()
  print(head('variants made a second', 'gateway', 'vipsthumbnail, a process for each photo', 'the same, VIPS_CONCURRENCY=1', 'a process for each core, VIPS_CONCURRENCY=1', 'gateway to the best of these'))
  for (const kind of kinds) await compareMaking(url, kind, photos, made)
  print('\nOf the first photo, gateway and vipsthumbnail:')
  for (const kind of kinds) print(`  ${await compareSizes(url, kind, first, made)}`)

  const nginx = { one: started(await serveNginx(www, join(root, 'nginx-one'), { hasAll: true })).url, all: started(await serveNginx(www, join(root, 'nginx-all'), { workers: cores, hasAll: true })).url }
  print(`\n${connections} connections that are kept open:\n`)
  print(head('a variant that is made', 'served by', 'requests a second', 'p50', 'p99', 'gateway to that'))
  for (const kind of [small, large]) await compareServing(url, kind, first, www, nginx)
} finally {
  await Promise.all(servers.map(({ stop }) => stop()))
  await rm(root, { recursive: true, force: true })
}
