// A database and a volume as years of use leave them, in a minute instead.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'
import BetterSqlite3 from 'better-sqlite3'

/** What the two databases spell differently. */
export type Dialect = {
  /** A table `numbers` with the column n, from 1 to `count`. */
  readonly numbers: (count: number) => string
  readonly hex: (expression: string, digits: number) => string
  /** So many seconds ago. */
  readonly ago: (seconds: string) => string
  readonly no: string
}

export const sqlite: Dialect = {
  numbers: (count) => `(WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ${count}) SELECT n FROM counted) AS numbers`,
  hex: (expression, digits) => `printf('%0${digits}x', ${expression})`,
  ago: (seconds) => `strftime('%Y-%m-%dT%H:%M:%S.000+00:00', 'now', '-' || (${seconds}) || ' seconds')`,
  no: '0',
}

/** Files of the one who has many. */
const most = (count: number): number => Math.min(10_000, count / 2)

export const ordinaryOwners = (count: number): number => (count - most(count)) / 20

/**
 * Statements that make the rows: some twenty files for each owner, one with many, one of twenty in the trash, a picture for each, over two
 * years: first those of the blobs. `size`: an expression upon n, bytes.
 */
export function filling ({ numbers, hex, ago, no }: Dialect, count: number, size = '1000 + n % 100000'): string[] {
  const secondsEach = Math.floor(2 * 365 * 86_400 / count)
  const firstMs = Date.now() - count * secondsEach * 1000
  const ordinary = ordinaryOwners(count)
  const ofMany = count / most(count)
  const ms = `(${firstMs} + n * ${secondsEach * 1000})`
  const id = (variant: string) => `(${hex(`${ms} / 65536`, 8)} || '-' || ${hex(`${ms} % 65536`, 4)} || '-7000-${variant}-' || ${hex('n', 12)})`
  const owner = `(CASE WHEN n % ${ofMany} = 0 THEN 'many' ELSE 'u' || (n * 7919 % ${ordinary}) END)`
  const isDeleted = '(n % 20 = 7)'
  const at = ago(`(${count} - n) * ${secondsEach}`)
  const sha256 = hex('n', 64)
  return [
    `INSERT INTO "Blob" ("id", "kind", "extension", "state", "ownerId", "creatorId", "contentType", "size", "sha256", "stateAt", "createdAt", "keepsMetadata")
     SELECT ${id('8000')}, 'attachment', 'pdf', CASE WHEN ${isDeleted} THEN 'deleted' ELSE 'live' END, ${owner}, ${owner}, 'application/pdf', ${size}, ${sha256}, CASE WHEN ${isDeleted} THEN ${ago('n % 86400')} ELSE ${at} END, ${at}, ${no} FROM ${numbers(count)}`,
    `INSERT INTO "Blob" ("id", "kind", "extension", "state", "ownerId", "creatorId", "contentType", "size", "sha256", "stateAt", "createdAt", "keepsMetadata")
     SELECT ${id('a000')}, 'avatar', 'jpg', 'live', 'u' || n, 'u' || n, 'image/jpeg', ${size}, ${sha256}, ${at}, ${at}, ${no} FROM ${numbers(ordinary)}`,
    `INSERT INTO "Attachment" ("id", "blobId", "ownerId", "filename", "visibility", "contextType", "contextId", "deletedAt", "createdAt")
     SELECT ${id('9000')}, ${id('8000')}, ${owner}, 'file ' || n || '.pdf', 'private', 'message', 'm' || (n / 3), CASE WHEN ${isDeleted} THEN ${ago('n % 86400')} END, ${at} FROM ${numbers(count)}`,
    `INSERT INTO "Avatar" ("userId", "blobId") SELECT 'u' || n, ${id('a000')} FROM ${numbers(ordinary)}`,
  ]
}

/** Rows and files upon a volume that a gateway has made and left: each has its blob and its sidecar by name. Those of a day are one empty file: making millions would take most of the time. */
export async function fillVolume (volume: string, count: number): Promise<void> {
  const database = `${volume}/database/gateway.sqlite`
  const connection = new BetterSqlite3(database)
  const [attachments = '', avatars = '', ...others] = filling(sqlite, count)
  for (const statement of [attachments, avatars]) connection.exec(statement)
  const workers = Array.from({ length: availableParallelism() }, (_, part) => new Worker(new URL('filling-worker.ts', import.meta.url), { workerData: { volume, database, part, parts: availableParallelism() } }))
  const ended = Promise.all(workers.map(async (worker) => {
    const [code] = await once(worker, 'exit')
    if (code !== 0) throw new Error(`The files could not be made (${code}).`)
  }))
  for (const statement of others) connection.exec(statement)
  connection.close()
  await ended
  // The disk is to be at rest when it is measured.
  await promisify(execFile)('sync', ['--file-system', volume])
}
