// Journals of several places made into one: a line that is anywhere is there, once. Each line proves itself elsewhere.
import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import { errnoOf } from '../../storage/failures.ts'
import type { FileHandle, FileSystem } from '../../storage/fs.ts'
import { writeAll, type Durable } from '../../storage/volume/durable.ts'
import { textLines } from './text-lines.ts'

const linesAtOnce = 1000

type Uniting = { readonly fs: FileSystem, readonly durable: Durable, readonly target: string, readonly sources: readonly string[] }

/** Appends durably to the file `target`, made when absent, the lines that one of `sources` has and it has not. */
export async function uniteLines ({ fs, durable, target, sources }: Uniting): Promise<void> {
  const known = new Set<string>()
  const isThere = await fs.stat(target).then(() => true, () => false)
  for await (const line of linesIn(fs, target)) known.add(digest(line))
  const appended = await appending(fs, target, async (append) => {
    if (!isThere) await append([])
    for (const source of sources) await addMissing(linesIn(fs, source), known, append)
  }, (handle) => durable.sync(handle))
  if (appended) await durable.syncFolder(dirname(target))
}

async function addMissing (lines: AsyncIterable<string>, known: Set<string>, append: (lines: readonly string[]) => Promise<void>): Promise<void> {
  let missing: string[] = []
  for await (const line of lines) {
    const digested = digest(line)
    if (known.has(digested)) continue
    known.add(digested)
    missing.push(line)
    if (missing.length < linesAtOnce) continue
    await append(missing)
    missing = []
  }
  if (missing.length > 0) await append(missing)
}

/** Opens the file when there is something to append. False when there was nothing. */
async function appending (fs: FileSystem, path: string, work: (append: (lines: readonly string[]) => Promise<void>) => Promise<void>, sync: (handle: FileHandle) => Promise<void>): Promise<boolean> {
  let handle: FileHandle | undefined
  // A process that died may have left half a line: what follows it must not become a part of that.
  let before = '\n'
  try {
    await work(async (lines) => {
      handle ??= await fs.open(path, 'a', 0o640)
      if (lines.length === 0) return
      await writeAll(handle, [Buffer.from(`${before}${lines.join('\n')}\n`)], 0)
      before = ''
    })
    if (handle !== undefined) await sync(handle)
    return handle !== undefined
  } finally {
    await handle?.close()
  }
}

/** None where there is no file. */
async function * linesIn (fs: FileSystem, path: string): AsyncGenerator<string> {
  try {
    yield * textLines(fs, path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error
  }
}

/** Of a journal of any length, so much is held of each line. */
const digest = (line: string): string => createHash('sha256').update(line).digest('base64')
