// A copy of the embedded database, for reading it where it lies on a file system that takes no writes: SQLite itself writes beside what it reads.
import { copyFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { errnoOf } from '../storage/failures.ts'

/** With what was committed since the last checkpoint, or is to be rolled back. The rest SQLite makes anew. */
const copied = ['', '-wal', '-journal']

const attempts = 20

/** File times may be so coarse, and several times that. */
const settlesWithinMs = 100

/** Into `folder`; as it is at one moment also when another process writes meanwhile. Returns the path. @throws when it never stands still */
export async function copyDatabase (file: string, folder: string, pauseMs = settlesWithinMs): Promise<string> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const before = await stampsOf(file)
    // What is written in the tick of the clock that was just seen is over by then; what is written later has another stamp.
    await setTimeout(pauseMs)
    const target = join(folder, `${attempt}-${basename(file)}`)
    for (const suffix of copied) if (before[suffix] !== undefined) await copyFile(file + suffix, target + suffix)
    const after = await stampsOf(file)
    if (copied.every((suffix) => before[suffix] === after[suffix])) return target
  }
  throw new Error(`The database ${file} is written all the time, so no copy of it is whole.`)
}

/** Undefined where there is no such file. */
async function stampsOf (file: string): Promise<Record<string, string | undefined>> {
  return Object.fromEntries(await Promise.all(copied.map(async (suffix) => [suffix, await stampOf(file + suffix)])))
}

async function stampOf (path: string): Promise<string | undefined> {
  try {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true })
    return [ino, size, mtimeNs].join()
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
