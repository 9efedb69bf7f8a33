// How fast the gateway makes variants of camera photos, against the vipsthumbnail command on all cores; and how fast it serves one that is
// made, against nginx serving the same file. Side by side in one run, in rounds: on a machine with other work, the ratios are what counts.
//   node bench/variants.ts [rounds, 5] [photos, 12] [whole seconds a server is asked in each round, 1]
// Up to three minutes. It needs libvips-tools, nginx-light and wrk of Debian, and 1 GB in the temporary folder. `taskset -c 2,3 node bench/variants.ts` leaves other cores alone.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pLimit from 'p-limit'
import sharp from 'sharp'
import { attachmentIn, call, json } from '../test/system/client.ts'
import { envFor } from '../test/system/command.ts'
import { bearer, type Settings } from '../test/system/gateway.ts'
import { until } from '../test/system/machine.ts'
import { childrenCpuMs } from '../test/system/process.ts'

const [rounds = 5, photoCount = 12, seconds = 1] = process.argv.slice(2).map(Number)
const cores = availableParallelism()
const connections = 32
/** Of the rounds of one comparison: a slow machine gets fewer of them. */
const mostMs = 22_000
const path = `${process.env['PATH'] ?? ''}:/usr/sbin`
/** Of the gateway: those of its pictures can be given as its environment has them, such as IMAGE_MEMORY_BYTES. */
const settings = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('IMAGE_'))) as Settings
const gatewayEntry = fileURLToPath(new URL('../src/server.ts', import.meta.url))

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

/** One of those that are compared; `measure` is called once in each round. */
type Side<Sample> = { readonly name: string, measure (): Promise<Sample> }

/** `cpuMs`: of all processes that had a part in it, for each photo. */
type Made = { readonly perSecond: number, readonly cpuMs: number }

type Served = { readonly perSecond: number, readonly p50: number, readonly p99: number }

async function needPrograms (): Promise<void> {
  const packages = { vipsthumbnail: 'libvips-tools', nginx: 'nginx-light', wrk: 'wrk' }
  const tried = await Promise.all(Object.entries(packages).map(async ([program, name]) => {
    const error = await promisify(execFile)(program, ['-v'], { env: { PATH: path } }).catch((error: NodeJS.ErrnoException) => error)
    return 'code' in error && error.code === 'ENOENT' ? [name] : []
  }))
  if (tried.flat().length === 0) return
  process.stderr.write(`Programs are missing: apt-get install --no-install-recommends ${tried.flat().join(' ')}\n`)
  process.exit(1)
}

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

async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

const servers: (() => Promise<unknown>)[] = []

/** The address of a server that answers; its log, a line for each request, goes into a file. */
async function serve (command: string, args: readonly string[], { port, env, log }: { port: number, env: NodeJS.ProcessEnv, log: string }): Promise<string> {
  const output = await open(log, 'a')
  const child = spawn(command, args, { cwd: tmpdir(), env, stdio: ['ignore', output.fd, 'inherit'] })
  const ended = once(child, 'close').then(() => output.close())
  servers.push(() => {
    child.kill('SIGTERM')
    return ended
  })
  const url = `http://127.0.0.1:${port}`
  await until(`${command} answers`, () => fetch(url).then(() => true, () => false))
  return url
}

async function serveGateway (volume: string): Promise<string> {
  const port = await freePort()
  return serve(process.execPath, [gatewayEntry], { port, env: envFor(volume, { ...settings, PORT: String(port), AVATAR_MAX_BYTES: String(20 * 1024 ** 2) }), log: join(volume, 'log') })
}

/** Serves `folder`, with what Debian's own configuration sets. */
async function serveNginx (folder: string, home: string, workers: number): Promise<string> {
  const port = await freePort()
  await mkdir(home)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${home};`).join(' ')
  await writeFile(join(home, 'nginx.conf'), `
    daemon off; pid ${home}/pid; error_log stderr crit; worker_processes ${workers}; events { worker_connections 768; }
    http { sendfile on; tcp_nopush on; types { image/jpeg jpeg; image/webp webp; } access_log ${home}/access; keepalive_requests 1000000; ${temporary}
      server { listen 127.0.0.1:${port}; root ${folder}; } }`)
  return serve('nginx', ['-p', home, '-c', join(home, 'nginx.conf'), '-e', 'stderr'], { port, env: { PATH: path }, log: join(home, 'log') })
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
    await pLimit(cores).map(shares, (share) => promisify(execFile)('vipsthumbnail', [...cut, '-o', join(folder, `%s-${of}.${format}[${encoding}]`), ...share.map(({ file }) => file)], { env: { PATH: path, ...env } }))
  }),
})

/** By wrk, over connections that are kept open. */
const serving = (name: string, address: string): Side<Served> => ({
  name,
  async measure () {
    const { stdout } = await promisify(execFile)('wrk', ['-t', '2', '-c', String(connections), '-d', `${seconds}s`, '--latency', address], { env: { PATH: path } })
    if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`Not all was answered:\n${stdout}`)
    const milliseconds = (percentile: string) => {
      const [, value, unit] = new RegExp(`${percentile}%\\s+([\\d.]+)(us|ms|s)`).exec(stdout) ?? []
      return Number(value) * ({ us: 0.001, ms: 1, s: 1000 }[unit ?? ''] ?? NaN)
    }
    return { perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]), p50: milliseconds('50'), p99: milliseconds('99') }
  },
})

/** What each side came to, round by round; every other round goes backwards. */
async function interleaved<Sample> (sides: readonly Side<Sample>[]): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(sides.map(({ name }) => [name, []]))
  const end = performance.now() + mostMs
  for (let round = 0; round === 0 || (round < rounds && performance.now() < end); round += 1) {
    for (const { name, measure } of round % 2 === 0 ? sides : sides.toReversed()) samples.get(name)?.push(await measure())
  }
  return samples
}

function median (values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  return ((sorted[(sorted.length - 1) >> 1] ?? NaN) + (sorted[sorted.length >> 1] ?? NaN)) / 2
}

/** The median, and the lowest and highest, of what one had for each of the other in the same round. */
function ratio (ones: readonly number[] = [], others: readonly number[] = []): string {
  const ratios = ones.map((one, round) => one / (others[round] ?? NaN))
  return `${median(ratios).toPrecision(2)} × (${Math.min(...ratios).toPrecision(2)} to ${Math.max(...ratios).toPrecision(2)})`
}

const print = (line: string): void => { process.stdout.write(`${line}\n`) }
const row = (...cells: readonly (string | number)[]): void => print(`| ${cells.join(' | ')} |`)
const head = (...cells: readonly string[]): void => { row(...cells); row(...cells.map(() => '---')) }

async function compareMaking (url: string, kind: Kind, photos: readonly Photo[], folder: string): Promise<void> {
  const thrifty = { VIPS_CONCURRENCY: '1' }
  const vips = [
    vipsMaking('a process for each photo', kind, photos, folder, { each: 1 }),
    vipsMaking('the same, VIPS_CONCURRENCY=1', kind, photos, folder, { each: 1, env: thrifty }),
    vipsMaking('a process for each core, VIPS_CONCURRENCY=1', kind, photos, folder, { each: Math.ceil(photos.length / cores), env: thrifty }),
  ]
  const samples = await interleaved([gatewayMaking(url, kind, photos), ...vips])
  const rates = (name: string) => samples.get(name)?.map(({ perSecond }) => perSecond) ?? []
  const best = vips.map(({ name }) => name).reduce((one, other) => median(rates(one)) >= median(rates(other)) ? one : other)
  const cells = [...samples].map(([name, made]) => `${median(rates(name)).toFixed(1)} (${Math.round(median(made.map(({ cpuMs }) => cpuMs)))} ms)`)
  row(kind.name, ...cells, ratio(rates('gateway'), rates(best)))
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
  const samples = await interleaved([serving('gateway', address), serving('nginx, one worker', `${nginx.one}/${name}`), serving('nginx, a worker for each core', `${nginx.all}/${name}`)])
  const rates = (side: string) => samples.get(side)?.map(({ perSecond }) => perSecond)
  for (const [side, served] of samples) {
    const of = (what: keyof Served) => median(served.map((sample) => sample[what]))
    row(`${kind.name}, ${bytes.length} bytes`, side, Math.round(of('perSecond')), `${of('p50').toFixed(1)} ms`, `${of('p99').toFixed(1)} ms`, side === 'gateway' ? '' : ratio(rates('gateway'), rates(side)))
  }
}

await needPrograms()
const root = await mkdtemp(join(tmpdir(), 'upload-gateway-bench-'))
try {
  // The workers of nginx run as another user.
  await chmod(root, 0o755)
  const [volume, originals, made, www] = ['volume', 'originals', 'made', 'www'].map((name) => join(root, name)) as [string, string, string, string]
  await Promise.all([volume, originals, made, www].map((folder) => mkdir(folder)))
  const photos = await makePhotos(originals)
  const [first] = photos
  if (first === undefined) throw new Error('There must be photos.')
  const url = await serveGateway(volume)
  const average = photos.reduce((sum, { bytes }) => sum + bytes.length, 0) / photos.length
  print(`${photos.length} photos of 12 megapixels, ${(average / 1e6).toFixed(1)} MB on average; ${cores} cores, medians of ${rounds} rounds at most; in brackets the time of processors that a photo takes.\n`)

  // The first jobs of a process are slow.
  await gatewayMaking(url, small, photos).measure()
  head('variants made a second', 'gateway', 'vipsthumbnail, a process for each photo', 'the same, VIPS_CONCURRENCY=1', 'a process for each core, VIPS_CONCURRENCY=1', 'gateway to the best of these')
  for (const kind of kinds) await compareMaking(url, kind, photos, made)
  print('\nOf the first photo, gateway and vipsthumbnail:')
  for (const kind of kinds) print(`  ${await compareSizes(url, kind, first, made)}`)

  const nginx = { one: await serveNginx(www, join(root, 'nginx-one'), 1), all: await serveNginx(www, join(root, 'nginx-all'), cores) }
  print(`\n${connections} connections that are kept open:\n`)
  head('a variant that is made', 'served by', 'requests a second', 'p50', 'p99', 'gateway to that')
  for (const kind of [small, large]) await compareServing(url, kind, first, www, nginx)
} finally {
  await Promise.all(servers.map((stop) => stop()))
  await rm(root, { recursive: true, force: true })
}
