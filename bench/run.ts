// The gateway beside nginx, Express, Fastify, @tus/server and Node itself: the same load upon each, in rounds, on one machine. The ratios are what counts.
//   npm run bench -- [--rounds 5] [--seconds 3] [--supabase-storage PATH] [--profile] [load ...]
// It needs root, Debian's curl, nginx-light, postgresql and wrk, and 16 GB in the temporary folder.
import { execFile } from 'node:child_process'
import { access, chmod, mkdir, mkdtemp, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Command, InvalidArgumentError } from 'commander'
import { gateway, type Load, type Prepared } from './kit/bench.ts'
import { cores } from './kit/cores.ts'
import { chartOf, countOf, jsonOf, tableOf, type Outcome } from './kit/outcome.ts'
import { needPrograms } from './kit/programs.ts'
import { profileClock, profilingInto, summaries } from './kit/profile.ts'
import { interleaved } from './kit/rounds.ts'
import { gatewayOptions, type Server } from './kit/servers.ts'
import { versionOf } from './kit/supabase.ts'
import { print } from './kit/table.ts'
import { cold } from './loads/cold.ts'
import { hotAvatar, hotVariant, privateAttachment, unchanged } from './loads/hot.ts'
import { idle } from './loads/idle.ts'
import { download, largeUpload, ranges } from './loads/large.ts'
import { many } from './loads/many.ts'
import { parallel } from './loads/parallel.ts'
import { resumable } from './loads/resumable.ts'
import { smallUploads } from './loads/small-uploads.ts'

const loads: readonly Load[] = [hotAvatar, unchanged, hotVariant, privateAttachment, cold, download, ranges, smallUploads, largeUpload, resumable, parallel, idle, many]
const results = fileURLToPath(new URL('results', import.meta.url))

const whole = (text: string): number => {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('It must be a whole number, 1 or more.')
  return Number(text)
}

const program = new Command('npm run bench --')
  .description('Puts the same loads upon the gateway and upon what one would take instead.')
  .option('--rounds <number>', 'rounds of each load', whole, 5)
  .option('--seconds <number>', 'that a server is asked in each round', whole, 3)
  .option('--supabase-storage <path>', 'a checkout of supabase/storage, built: it is compared with too')
  .option('--profile', 'instead: what the gateway does with its time under a load; the profiles are left in bench/results/')
  .argument('[load...]', `which: ${loads.map(({ id }) => id).join(', ')}; without any, all of them, and their outcome is written into bench/results/latest.*`)
  .parse()
const { rounds, seconds, supabaseStorage: supabase, profile: isProfile = false } = program.opts<{ rounds: number, seconds: number, supabaseStorage?: string, profile?: boolean }>()
const wanted = program.args
const unknown = wanted.filter((id) => !loads.some((load) => load.id === id))
if (unknown.length > 0) program.error(`There is no load ${unknown.join(', ')}.`)
const supabaseVersion = supabase === undefined ? undefined : await versionOf(supabase).catch((error: Error) => program.error(`That is no checkout of supabase/storage, or it is not built: ${error.message}`))

/** What others are made of is no part of the gateway, and is not installed with it. */
async function installPeers (): Promise<void> {
  const peers = fileURLToPath(new URL('peers', import.meta.url))
  const isThere = await access(join(peers, 'node_modules')).then(() => true, () => false)
  if (!isThere) await promisify(execFile)('npm', ['ci', '--prefix', peers, '--no-audit', '--no-fund'])
}

async function describeMachine (folder: string): Promise<string> {
  const [nginx, model] = [await promisify(execFile)('/usr/sbin/nginx', ['-v']).then(({ stderr }) => stderr.trim().replace('nginx version: ', ''), () => 'nginx'), cpus()[0]?.model ?? 'unknown processor']
  const mounted = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' ')).filter(([, at = '/']) => folder.startsWith(at)).sort(([, one = ''], [, other = '']) => other.length - one.length)[0]
  const { bavail, bsize } = await statfs(folder)
  const list = (of: readonly number[]) => of.join(', ')
  return `${cpus().length} × ${model.replaceAll(/\s+/g, ' ')}, ${Math.round(totalmem() / 1024 ** 3)} GiB, Linux ${release()}, ${mounted?.[2]} with ${Math.round(bavail * bsize / 1e9)} GB free; Node ${process.version}, ${nginx}${supabaseVersion === undefined ? '' : `, supabase/storage ${supabaseVersion}`}; servers on cores ${list(cores.servers)}, clients on ${list(cores.clients)}; medians of ${rounds} rounds`
}

/** `work` upon what the load has prepared; all of it is gone afterwards. */
async function prepared<T> ({ id, prepare }: Load, root: string, work: (prepared: Prepared) => Promise<T>): Promise<T> {
  const folder = join(root, id)
  await mkdir(folder)
  const ends: (() => unknown)[] = []
  const teardown = (end: () => unknown): void => { ends.unshift(end) }
  const started = (server: Server): Server => { teardown(server.stop); return server }
  try {
    const all = await prepare({ folder, seconds, supabase, started, teardown })
    // The first requests of a process are slow.
    await interleaved(all.sides, { rounds: 1 })
    return await work(all)
  } finally {
    for (const end of ends) await end()
    // Millions of files, which Node removes one by one.
    await promisify(execFile)('rm', ['-r', folder])
  }
}

async function compare (load: Load, root: string): Promise<Outcome> {
  return prepared(load, root, async ({ sides, ...rest }) => ({ ...load, ...rest, samples: await interleaved(sides, { rounds }) }))
}

/** Upon the gateway's sides alone, where there are others. */
async function profile (load: Load, root: string): Promise<string> {
  const folder = join(results, 'profiles', load.id)
  await rm(folder, { recursive: true, force: true })
  gatewayOptions.splice(0, Infinity, ...profilingInto(folder))
  const span = await prepared(load, root, async ({ sides }) => {
    const own = sides.filter(({ name }) => name.startsWith(gateway))
    const from = profileClock()
    await interleaved(own.length === 0 ? sides : own, { rounds })
    return { from, to: profileClock() }
  })
  return [`### ${load.title}\n`, ...await summaries(folder, span)].join('\n')
}

async function compareAll (chosen: readonly Load[], root: string): Promise<void> {
  const machine = await describeMachine(root)
  print(`${machine}\n`)
  const outcomes: Outcome[] = []
  for (const load of chosen) {
    const outcome = await compare(load, root)
    outcomes.push(outcome)
    print(tableOf(outcome))
  }
  print(countOf(outcomes))
  if (wanted.length > 0) return
  await mkdir(results, { recursive: true })
  await writeFile(join(results, 'latest.md'), `# Upload Gateway beside others\n\n${machine}.\n\n${countOf(outcomes)}\n\n${outcomes.map(tableOf).join('\n')}`)
  await writeFile(join(results, 'latest.svg'), await chartOf(outcomes, machine))
  await writeFile(join(results, 'latest.json'), jsonOf(outcomes, machine))
}

await needPrograms({ curl: 'curl', nginx: 'nginx-light', pg_ctlcluster: 'postgresql', wrk: 'wrk' })
await installPeers()
const root = await mkdtemp(join(tmpdir(), 'upload-gateway-bench-'))
try {
  // nginx and PostgreSQL run as other users.
  await chmod(root, 0o755)
  const chosen = loads.filter(({ id }) => wanted.length === 0 || wanted.includes(id))
  if (!isProfile) await compareAll(chosen, root)
  else for (const load of chosen) print(await profile(load, root))
} finally {
  await rm(root, { recursive: true, force: true })
}
