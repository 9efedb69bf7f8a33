// A file that only grows: a JSON object a line, each proving itself, each durable before the next step is taken.
import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import { errnoOf } from '../failures.ts'
import type { FileHandle, FileSystem } from '../fs.ts'
import type { Durable } from './durable.ts'

export type Journal<T> = {
  readonly path: string
  /** Its entries, oldest first, and how many lines cannot be read; undefined when there is no such file. */
  read (): Promise<{ entries: T[], damagedLines: number } | undefined>
  /** Returns when all of them are durable. Makes the file, but not its folder. */
  append (entries: readonly T[]): Promise<void>
}

const fileMode = 0o640

/** At a limit the first write is short and the second says why. */
const writeAttempts = 3

const checksum = (body: string) => `sha256:${createHash('sha256').update(body).digest('hex')}`

export function createJournal<T> ({ fs, durable, path, isEntry }: { fs: FileSystem, durable: Durable, path: string, isEntry: (value: unknown) => value is T }): Journal<T> {
  return {
    path,
    async read () {
      const text = await fs.readFile(path, 'utf8').catch((error: unknown) => {
        if (errnoOf(error) === 'ENOENT') return undefined
        throw error
      })
      if (text === undefined) return undefined
      const lines = text.split('\n').filter((line) => line !== '')
      const entries = lines.map((line) => decode(isEntry, line)).filter((entry) => entry !== undefined)
      return { entries, damagedLines: lines.length - entries.length }
    },
    async append (entries) {
      const handle = await fs.open(path, 'a', fileMode)
      try {
        // A process that died may have left half a line: what follows it must not become a part of that.
        await writeWhole(handle, Buffer.from(`\n${entries.map((entry) => encode(entry)).join('')}`))
        await durable.sync(handle)
      } finally {
        await handle.close()
      }
      await durable.syncFolder(dirname(path))
    },
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
