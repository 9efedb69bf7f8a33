// A file that only grows: a JSON object a line, each proving itself, each durable before the next step is taken.
import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import { ifAbsent } from '../failures.ts'
import type { FileHandle, FileSystem } from '../fs.ts'
import { openForAppending, readOrdinaryText } from '../ordinary-file.ts'
import type { Durable } from './durable.ts'

export type Journal<T> = {
  readonly path: string
  /** Its entries, oldest first, and how many lines cannot be read, but for halves of such as are there whole; undefined when there is no such file. Throws NotOrdinary too, as does `append`. */
  read (): Promise<{ entries: T[], damagedLines: number } | undefined>
  /** Returns when all of them are durable. Makes the file, but not its folder. */
  append (entries: readonly T[]): Promise<void>
}

/** Does `work` while nobody else, on whatever machine, appends to a journal of this volume. */
export type Alone = <T>(work: () => Promise<T>) => Promise<T>

/** On one machine O_APPEND is enough. */
const besideOthers: Alone = (work) => work()

type Options<T> = { fs: FileSystem, durable: Durable, path: string, isEntry: (value: unknown) => value is T, /** For a volume of several machines: NFS does not order what two append to one file. */ alone?: Alone | undefined }

const fileMode = 0o640

/** A line up to the end of its checksum: as much says which entry it was to be. */
const proofLength = '{"checksum":"sha256:'.length + 64

/** At a limit the first write is short and the second says why. */
const writeAttempts = 3

const checksum = (body: string) => `sha256:${createHash('sha256').update(body).digest('hex')}`

export function createJournal<T> ({ fs, durable, path, isEntry, alone = besideOthers }: Options<T>): Journal<T> {
  async function write (entries: readonly T[]): Promise<void> {
    // Opened in each turn: only then NFS looks where the file ends by now.
    const handle = await openForAppending(fs, path, fileMode)
    try {
      // A process that died may have left half a line: what follows it must not become a part of that.
      await writeWhole(handle, Buffer.from(`\n${entries.map((entry) => encode(entry)).join('')}`))
      await durable.sync(handle)
    } finally {
      await handle.close()
    }
    await durable.syncFolder(dirname(path))
  }

  return {
    path,
    async read () {
      const text = await readOrdinaryText(fs, path).catch(ifAbsent(undefined))
      if (text === undefined) return undefined
      const lines = text.split('\n').filter((line) => line !== '').map((line) => ({ line, entry: decode(isEntry, line) }))
      const entries = lines.map(({ entry }) => entry).filter((entry) => entry !== undefined)
      const whole = new Map(lines.filter(({ entry }) => entry !== undefined).map(({ line }) => [line.slice(0, proofLength), line]))
      const isDamaged = (line: string): boolean => whole.get(line.slice(0, proofLength))?.startsWith(line) !== true
      return { entries, damagedLines: lines.filter(({ line, entry }) => entry === undefined && isDamaged(line)).length }
    },
    append: (entries) => alone(() => write(entries)),
  }
}

/** In one write, as the rest in a second one could end up behind lines of another process: a short one is done again. */
async function writeWhole (handle: FileHandle, text: Buffer): Promise<void> {
  for (let attempt = 0; attempt < writeAttempts; attempt += 1) {
    const { bytesWritten } = await handle.writev([text])
    if (bytesWritten === text.length) return
  }
  throw new Error('The volume took only a part of what was written, and gave no reason.')
}

const encode = (entry: unknown): string => `${JSON.stringify({ checksum: checksum(JSON.stringify(entry)), ...entry as object })}\n`

function decode<T> (isEntry: (value: unknown) => value is T, line: string): T | undefined {
  try {
    const { checksum: stated, ...body } = JSON.parse(line)
    return stated === checksum(JSON.stringify(body)) && isEntry(body) ? body : undefined
  } catch {
    return undefined
  }
}
