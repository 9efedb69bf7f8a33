// Three gateways behind nginx under mixed load, killed and started again in turn, while their database dies once, and where there is one their object store loses a part.
//   MINUTES=10 npm run test:system -- --timeout=7200 test/system/replica-load.test.ts   (SEED=… for the same choices again; what the machine makes of them is its own)
import { randomInt } from 'node:crypto'
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import pg from 'pg'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../helper.ts'
import { compare, staging, type Row } from './audit.ts'
import { command } from './command.ts'
import { ceph, type Ceph } from './fixtures/ceph.ts'
import type { Settings } from './gateway.ts'
import { pause, until } from './machine.ts'
import { postgres, type Postgres } from './postgres.ts'
import { afterwards } from './replica-load/afterwards.ts'
import { campaign, type Campaign, type Incident } from './replica-load/campaign.ts'
import { startReplicas, type Replica } from './replica-load/replicas.ts'

const minutes = Number(process.env['MINUTES'] ?? 0.5)
const seed = process.env['SEED'] ?? String(randomInt(1_000_000_000))
const users = 24
/** Of all operations, after what the client tries by itself. */
const mostFailing = 0.001
const timeout = (minutes * 60 + 1200) * 1000

const usual = { RESUMABLE_CHUNK_BYTES: String(512 * 1024), IMAGE_PROCESSES: '1', SWEEP_INTERVAL_SECONDS: '5', SWEEP_GRACE_SECONDS: '10', LOG_LEVEL: 'info' }

const databaseOutage = (server: Postgres, replicas: readonly Replica[]): Incident => ({
  after: 0.5,
  name: 'PostgreSQL killed, away for 3 s, until all gateways were ready again',
  isOutage: true,
  async run () {
    await server.kill()
    await pause(3000)
    await server.start()
    await until('all gateways are ready again', async () => (await Promise.all(replicas.map((replica) => replica.isReady()))).every(Boolean), 5000)
  },
})

async function rowsIn (url: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<Row>('SELECT id, kind, extension, state, sha256, size, revision, "sidecarDueAt" FROM "Blob"')
  await client.end()
  return rows
}

function tell (t: Test, { ledger, kills, story, failures, excused }: Campaign): void {
  const total = Object.values(ledger.done).reduce((sum, one) => sum + one, 0)
  for (const line of story) t.comment(line)
  for (const [operation, count] of Object.entries(ledger.done).toSorted()) t.comment(`${operation.padEnd(20)} ${count}`)
  t.comment(`seed ${seed}: ${total} operations by ${users} users, ${ledger.requests} requests, ${kills} kills of gateways`)
  t.comment(`failed for good: ${failures.length}, and ${excused.length} in an outage`)
  for (const { operation, reason, user } of [...failures, ...excused].slice(0, 20)) t.comment(`  ${user}, ${operation}: ${reason}`)
}

async function judge (t: Test, run: Campaign, replicas: readonly Replica[]): Promise<void> {
  const { ledger, failures, kills } = run
  tell(t, run)
  const total = Object.values(ledger.done).reduce((sum, one) => sum + one, 0)
  t.ok(total > 10 * users, `there was a load: ${total} operations`)
  t.ok(kills >= replicas.length, 'each gateway was killed')
  t.strictSame(ledger.wrong, [], 'no answer was wrong')
  t.ok(failures.length <= total * mostFailing, `${failures.length} of ${total} operations failed for good, outside of outages`)
  for (const replica of replicas) {
    const { problems, files, pictures, bytes } = await afterwards(replica.url, ledger)
    t.strictSame(problems, [], `through ${replica.url}: all of ${files} files and ${pictures} pictures are as acknowledged, ${bytes} bytes read`)
    t.ok(files > 0 && pictures > 0)
  }
}

/** What nobody acknowledged goes with the sweeps, some time after the load. */
async function verified (t: Test, folder: string, settings: Settings): Promise<void> {
  let found: unknown
  await until('verify finds nothing', async () => {
    const { stdout, stderr } = await command(folder, ['verify', '--json'], { settings })
    if (stdout === '') throw new Error(stderr)
    found = JSON.parse(stdout).findings
    return Array.isArray(found) && found.length === 0
  }, 120_000).catch(() => {})
  t.strictSame(found, [], 'objects, rows and sidecars agree')
}

t.test(`on a shared volume and PostgreSQL, ${minutes} min: nothing acknowledged is lost, doubled or wrong`, { timeout }, async (t) => {
  const server = await postgres(t, { isSynced: true })
  const folder = await temporaryFolder(t)
  const settings = { ...usual, DATABASE_URL: await server.create('gateway') }
  const replicas = await startReplicas(t, [folder, folder, folder], settings)

  await judge(t, await campaign(t, { replicas, seed, users, seconds: minutes * 60, incidents: [databaseOutage(server, replicas)] }), replicas)

  await until('no file is without a row', async () => compare(folder, await rowsIn(settings.DATABASE_URL), { isHashed: false }).orphans.length === 0, 60_000)
  const { broken, rows } = compare(folder, await rowsIn(settings.DATABASE_URL))
  t.strictSame(broken, [], `each of ${rows.length} rows has its file and its sidecar`)
  await verified(t, folder, settings)
  t.strictSame(staging(folder).map(({ files }) => files), [[], [], []], 'three heartbeats are left in staging, and nothing else')
})

const osdIncidents = (store: Ceph): Incident[] => [
  { after: 0.25, name: 'an OSD killed', run: () => store.killOsd(1) },
  { after: 0.75, name: 'the OSD started again', run: () => store.restartOsd(1) },
]

t.test(`on Ceph with three OSDs and PostgreSQL, ${minutes} min: the same while one OSD is killed`, { timeout }, async (t) => {
  const [server, store] = await Promise.all([postgres(t, { isSynced: true }), ceph(t, { osds: 3, store: 'bluestore' })])
  await store.makeBucket('load')
  const folders = await Promise.all([1, 2, 3].map(() => temporaryFolder(t)))
  const settings = { ...usual, DATABASE_URL: await server.create('gateway'), STORAGE_URL: 's3://load/uploads', ...store.environment }
  const replicas = await startReplicas(t, folders, settings)

  await judge(t, await campaign(t, { replicas, seed, users, seconds: minutes * 60, incidents: [databaseOutage(server, replicas), ...osdIncidents(store)] }), replicas)

  await verified(t, folders[0] ?? '', settings)
  const { Uploads: unfinished = [] } = await store.client.send(new ListMultipartUploadsCommand({ Bucket: 'load' }))
  t.strictSame(unfinished, [], 'no multipart upload is left behind')
})
