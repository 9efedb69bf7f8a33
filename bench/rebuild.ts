// How fast a database is made anew: fills a volume with small uploads, rebuilds, prints time and rate, and cleans up.
//   node bench/rebuild.ts [uploads, 100000]
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import pLimit from 'p-limit'
import { v7 } from 'uuid'
import { databaseAddress } from '../src/config.ts'
import { rebuild } from '../src/operations/rebuild/rebuild.ts'
import { silent } from '../src/operations/progress.ts'
import { asBlobId, timeOf } from '../src/storage/ids.ts'
import { unseen, encodeSidecar, type Sidecar } from '../src/storage/sidecar.ts'
import { blobPath, erasuresFile, identityFile, sidecarPath } from '../src/storage/volume/layout.ts'

const uploads = Number(process.argv[2] ?? 100_000)
const days = 100
const start = Date.UTC(2026, 0, 1)
const bytes = Buffer.alloc(1024, 'x')
const sha256 = createHash('sha256').update(bytes).digest('hex')

/** Of ten uploads three are avatars, all but the last of each user replaced since; one attachment in seven is deleted. */
function sidecarOf (index: number): Sidecar {
  const id = asBlobId(v7({ msecs: start + Math.floor(index * days / uploads) * 86_400_000 + index % 86_400_000 })) ?? (() => { throw new Error('no blob id') })()
  const at = timeOf(id).toISOString()
  const ownerId = `user-${Math.floor(index / 20)}`
  const isAvatar = index % 10 < 3
  const state = isAvatar ? (index % 20 === 12 ? 'live' : 'superseded') : (index % 7 === 0 ? 'deleted' : 'live')
  return {
    version: 1, kind: isAvatar ? 'avatar' : 'attachment', id, extension: isAvatar ? 'png' : 'pdf', state, stateAt: at, createdAt: at, revision: state === 'live' ? 1 : 2,
    recordId: isAvatar ? null : v7(), ownerId, creatorId: ownerId, contentType: isAvatar ? 'image/png' : 'application/pdf', size: bytes.length, sha256,
    width: isAvatar ? 64 : null, height: isAvatar ? 64 : null, filename: isAvatar ? null : `report ${index}.pdf`, visibility: isAvatar ? null : 'private',
    contextType: isAvatar ? null : 'message', contextId: isAvatar ? null : String(index), alt: null,
    aliases: isAvatar ? [`/i/p/2026/01/avatar_${index}_x.png`] : [], epoch: 0, source: null, sourceSha256: null, ...unseen,
  }
}

async function fill (root: string): Promise<void> {
  const limit = pLimit(64)
  const folders = new Map<string, Promise<unknown>>()
  await writeFile(join(root, identityFile), JSON.stringify({ volumeId: randomUUID(), layout: 1, createdAt: new Date().toISOString() }))
  await writeFile(join(root, erasuresFile), '')
  await limit.map(Array.from({ length: uploads }, (_, index) => index), async (index) => {
    const sidecar = sidecarOf(index)
    const path = blobPath(root, sidecar)
    const folder = dirname(path)
    if (!folders.has(folder)) folders.set(folder, mkdir(folder, { recursive: true }))
    await folders.get(folder)
    await Promise.all([writeFile(path, bytes), writeFile(sidecarPath(root, sidecar), encodeSidecar(sidecar))])
  })
}

const root = await mkdtemp(join(tmpdir(), 'upload-gateway-bench-'))
try {
  await fill(root)
  const config = { uploadsDir: root, database: databaseAddress('', root), databaseFile: join(root, 'database', 'gateway.sqlite'), diskReserveBytes: 0, erasureLedger: undefined }
  const { ms, totals, findings } = await rebuild(config, silent)
  const count = totals.blobs.reduce((sum, group) => sum + group.count, 0)
  if (count !== uploads || findings.length > 0) throw new Error(`${count} of ${uploads} came back: ${JSON.stringify(findings.slice(0, 3))}`)
  process.stdout.write(`${uploads.toLocaleString('en')} uploads rebuilt in ${(ms / 1000).toFixed(1)} s: ${Math.round(uploads / ms * 1000).toLocaleString('en')} a second, ${Math.round(process.resourceUsage().maxRSS / 1024)} MB at most\n`)
} finally {
  await rm(root, { recursive: true, force: true })
}
