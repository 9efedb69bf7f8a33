// The form of a file in the cache: a line of JSON that says what follows, then the bytes. Trusts nothing of what it finds.
import { createHash, hash } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/schema'
import { StorageUnavailable } from '../../errors.ts'
import { errnoOf } from '../../storage/failures.ts'
import { readOrdinary, type FileHandle, type FileSystem } from '../../storage/fs.ts'
import { maxEntryBytes } from './layout.ts'
import type { Entry, Facts } from './entry.ts'

export const maxHeaderBytes = 1024

/** Files of up to so many bytes are read whole: it takes no longer than their header does. */
const wholeBytes = 64 * 1024

const readBytes = 256 * 1024

const Header = Type.Object({
  version: Type.Literal(1),
  key: Type.String(),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  contentType: Type.String({ pattern: '^image/[a-z0-9.+-]{1,32}$' }),
  size: Type.Integer({ minimum: 1, maximum: maxEntryBytes }),
  width: Type.Integer({ minimum: 1 }),
  height: Type.Integer({ minimum: 1 }),
}, { additionalProperties: false })

/** It is in an entry's place, and is not that entry, or not all of it, or not a file at all. */
export class Damaged extends Error {
  override readonly name = 'Damaged'
}

export function encodeHeader (key: string, { size, sha256, contentType, width, height }: Facts): Buffer {
  const header: Static<typeof Header> = { version: 1, key, sha256, contentType, size, width, height }
  return Buffer.from(`${JSON.stringify(header)}\n`)
}

/** An entry's file, open until it is closed. */
export type EntryFile = {
  readonly facts: Facts
  readonly handle: FileHandle
  /** Says which file it is, and what it says it holds. */
  readonly fingerprint: string
  /** When it was last used, as far as its file tells. */
  readonly usedAtMs: number
  /** Of the first byte after the header. */
  readonly offset: number
  /** All of its bytes, when they are few. */
  readonly bytes?: Buffer
}

/** @throws Damaged; what open(2), fstat(2) and read(2) say otherwise */
export async function openEntry (fs: Pick<FileSystem, 'open'>, path: string, key: string): Promise<EntryFile> {
  const handle = await fs.open(path, readOrdinary).catch((error: unknown) => {
    throw isNoFile(error) ? new Damaged('no file', { cause: error }) : error
  })
  try {
    return await lookAt(handle, key)
  } catch (error) {
    await handle.close().catch(() => {})
    throw error
  }
}

/** A link, or a socket. */
const isNoFile = (error: unknown): boolean => ['ELOOP', 'EMLINK', 'ENXIO'].includes(errnoOf(error) ?? '')

async function lookAt (handle: FileHandle, key: string): Promise<EntryFile> {
  const stat = await handle.stat()
  if (!stat.isFile()) throw new Damaged('no file')
  const isWhole = stat.size <= wholeBytes
  const head = await readAt(handle, 0, isWhole ? stat.size : maxHeaderBytes)
  const offset = head.subarray(0, maxHeaderBytes).indexOf('\n') + 1
  const { version, key: itsKey, ...facts } = parseHeader(head.toString('utf8', 0, offset))
  if (itsKey !== key) throw new Damaged(`the entry ${itsKey}`)
  if (stat.size !== offset + facts.size) throw new Damaged('of another size than it says')
  return {
    facts, handle, offset, usedAtMs: stat.mtimeMs,
    fingerprint: `${stat.dev} ${stat.ino} ${facts.sha256}`,
    ...(isWhole && { bytes: head.subarray(offset) }),
  }
}

function parseHeader (text: string): Static<typeof Header> {
  try {
    const header: unknown = JSON.parse(text)
    if (Check(Header, header)) return header
  } catch {}
  throw new Damaged('no header')
}

/** Fewer than `length` at the end of the file. A read may stop short before. Memory of its own, not a part of a pool: it may be kept. */
async function readAt (handle: FileHandle, start: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, start + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}

/** Reads all of it. @throws Damaged when the bytes are not those that the header says */
export async function verifyBytes ({ facts, handle, offset, bytes }: EntryFile): Promise<void> {
  const actual = bytes === undefined ? await hashOf(handle, offset, facts.size) : hash('sha256', bytes)
  if (actual !== facts.sha256) throw new Damaged('of other bytes than it says')
}

async function hashOf (handle: FileHandle, offset: number, size: number): Promise<string> {
  const digest = createHash('sha256')
  for (let at = 0; at < size; at += readBytes) digest.update(await readAt(handle, offset + at, Math.min(readBytes, size - at)))
  return digest.digest('hex')
}

/**
 * An entry whose file is opened anew for each read: until then it holds no descriptor, and no memory. Whoever took the file away
 * meanwhile, or put another in its place, makes that read fail with StorageUnavailable.
 */
export function entryInFile (fs: Pick<FileSystem, 'open'>, path: string, key: string, { facts, fingerprint, offset }: Omit<EntryFile, 'handle'>): Entry {
  return {
    ...facts,
    async read ({ start, end } = { start: 0, end: facts.size - 1 }) {
      const file = await openEntry(fs, path, key).catch((cause: unknown) => { throw new StorageUnavailable({ cause }) })
      if (file.fingerprint === fingerprint) return file.handle.createReadStream({ start: offset + start, end: offset + end, highWaterMark: readBytes })
      await file.handle.close()
      throw new StorageUnavailable({ cause: new Error(`the cached file ${path} is another one than it was`) })
    },
  }
}
