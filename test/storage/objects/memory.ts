// An object store in memory, for tests: the contract to the letter, and a place where each call can be made to fail or to wait.
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { ObjectMissing, ObjectsUnavailable, ObjectTaken, type Found, type Key, type Level, type Objects, type Put, type SourceFile } from '../../../src/storage/objects/objects.ts'

export type Operation = Exclude<keyof Objects, 'name' | 'close'>

/** Called with the operation and its key or prefix; what it throws the caller gets, and what it awaits the caller waits for. */
export type Hook = (operation: Operation, key: Key) => unknown

export type MemoryObjects = Objects & {
  /** Before anything happens. */
  before: Hook
  /** When it has happened, and the caller does not know yet. */
  after: Hook
  /** Of each chunk of a stream, before it is given out: the offset of its first byte in the object. */
  beforeChunk: (key: Key, offset: number) => unknown
  keys: () => Key[]
  bytes: (key: Key) => Buffer | undefined
  /** Changes what is stored, as nobody may. */
  spoil: (key: Key, bytes: Buffer) => void
}

type Stored = { readonly bytes: Buffer, readonly modifiedAt: Date }

const pageSize = 1000
const chunkBytes = 64 * 1024

export function createMemoryObjects ({ now = () => new Date() }: { now?: () => Date } = {}): MemoryObjects {
  const stored = new Map<Key, Stored>()
  const nothing = () => {}

  const found = (key: Key, { bytes, modifiedAt }: Stored): Found => ({ key, size: bytes.length, modifiedAt })

  const sorted = (prefix: string): Found[] =>
    [...stored].filter(([key]) => key.startsWith(prefix)).map(([key, object]) => found(key, object)).sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))

  async function during<T> (operation: Operation, key: Key, work: () => T): Promise<T> {
    await objects.before(operation, key)
    const result = work()
    await objects.after(operation, key)
    return result
  }

  function put (key: Key, bytes: Buffer, { ifAbsent = false, signal }: Put): void {
    signal?.throwIfAborted()
    if (ifAbsent && stored.has(key)) throw new ObjectTaken(key)
    stored.set(key, { bytes: Buffer.from(bytes), modifiedAt: now() })
  }

  async function putFile (key: Key, { path, size }: SourceFile, options: Put = {}): Promise<void> {
    await objects.before('putFile', key)
    const bytes = await readFile(path)
    if (bytes.length !== size) throw new ObjectsUnavailable(`${path} has ${bytes.length} bytes and not ${size}`)
    put(key, bytes, options)
    await objects.after('putFile', key)
  }

  async function * chunks (key: Key, bytes: Buffer, start: number, end: number): AsyncGenerator<Buffer> {
    for (let at = start; at < end; at += chunkBytes) {
      await objects.beforeChunk(key, at)
      yield bytes.subarray(at, Math.min(at + chunkBytes, end))
    }
  }

  const objects: MemoryObjects = {
    name: 'memory',
    before: nothing,
    after: nothing,
    beforeChunk: nothing,
    keys: () => sorted('').map(({ key }) => key),
    bytes: (key) => stored.get(key)?.bytes,
    spoil (key, bytes) { stored.set(key, { bytes, modifiedAt: stored.get(key)?.modifiedAt ?? now() }) },

    check: () => during('check', '', nothing),
    putFile,
    putBytes: (key, bytes, options = {}) => during('putBytes', key, () => put(key, bytes, options)),
    read: (key, range) => during('read', key, () => {
      const object = stored.get(key)
      if (object === undefined) throw new ObjectMissing(key)
      const { start, end } = range ?? { start: 0, end: Infinity }
      if (range !== undefined && start >= object.bytes.length) throw new RangeError(`${key} has ${object.bytes.length} bytes`)
      return Readable.from(chunks(key, object.bytes, start, Math.min(end + 1, object.bytes.length)), { objectMode: false })
    }),
    head: (key) => during('head', key, () => {
      const object = stored.get(key)
      return object === undefined ? undefined : found(key, object)
    }),
    async * list (prefix) {
      for (const page of pages(await during('list', prefix, () => sorted(prefix)))) yield page
    },
    async * level (prefix) {
      const entries = await during('level', prefix, () => entriesBelow(prefix, sorted(prefix)))
      for (const page of pages(entries)) yield levelOf(page)
    },
    remove: (key) => during('remove', key, () => { stored.delete(key) }),
    sweepUnfinished: () => during('sweepUnfinished', '', () => 0),
    presign: (key, seconds, { contentType, contentDisposition, cacheControl }) => during('presign', key, () =>
      `http://objects.invalid/${key}?${new URLSearchParams({ expires: new Date(now().getTime() + seconds * 1000).toISOString(), contentType, contentDisposition, cacheControl })}`),
    async close () {},
  }
  return objects
}

function pages<T> (all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / pageSize) }, (_, index) => all.slice(index * pageSize, (index + 1) * pageSize))
}

/** An object, or the prefix of what lies deeper: in the order of their names, each prefix once. */
function entriesBelow (prefix: string, all: readonly Found[]): Array<Found | string> {
  const entries = new Map<string, Found | string>()
  for (const object of all) {
    const slash = object.key.indexOf('/', prefix.length)
    const name = slash === -1 ? object.key : object.key.slice(0, slash + 1)
    entries.set(name, slash === -1 ? object : name)
  }
  return [...entries.values()]
}

const levelOf = (page: ReadonlyArray<Found | string>): Level => ({
  objects: page.filter((entry) => typeof entry !== 'string'),
  prefixes: page.filter((entry) => typeof entry === 'string'),
})
