// A part of the files of a volume that is being filled, on a thread of its own.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { workerData } from 'node:worker_threads'
import BetterSqlite3 from 'better-sqlite3'
import { blobPath, sidecarPath } from '../../src/storage/volume/layout.ts'
import type { BlobAddress } from '../../src/storage/store.ts'

const { volume, database, bytes, part, parts } = workerData as { volume: string, database: string, bytes: number, part: number, parts: number }
const blob = Buffer.alloc(bytes, 'x')
const sidecar = Buffer.alloc(700, ' ')
const folders = new Set<string>()

const connection = new BetterSqlite3(database, { readonly: true })
// A day has but one thread: they would wait for each other.
for (const address of connection.prepare<[number, number], BlobAddress>('SELECT id, kind, extension FROM Blob WHERE (rowid / 5000) % ? = ?').iterate(parts, part)) {
  const path = blobPath(volume, address)
  const folder = dirname(path)
  if (!folders.has(folder)) mkdirSync(folder, { recursive: true })
  folders.add(folder)
  writeFileSync(path, blob)
  writeFileSync(sidecarPath(volume, address), sidecar)
}
connection.close()
