// A part of the files of a volume that is being filled, on a thread of its own.
import { linkSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { workerData } from 'node:worker_threads'
import BetterSqlite3 from 'better-sqlite3'
import { blobPath, sidecarPath } from '../../src/storage/volume/layout.ts'
import type { BlobAddress } from '../../src/storage/store.ts'

const { volume, database, part, parts } = workerData as { volume: string, database: string, part: number, parts: number }
/** What each folder's files are. */
const firsts = new Map<string, string>()

const connection = new BetterSqlite3(database, { readonly: true })
// A day has but one thread: they would wait for each other.
for (const address of connection.prepare<[number, number], BlobAddress>('SELECT id, kind, extension FROM Blob WHERE (rowid / 5000) % ? = ?').iterate(parts, part)) {
  const path = blobPath(volume, address)
  const folder = dirname(path)
  const first = firsts.get(folder)
  if (first === undefined) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(path, '')
    firsts.set(folder, path)
  } else linkSync(first, path)
  linkSync(first ?? path, sidecarPath(volume, address))
}
connection.close()
