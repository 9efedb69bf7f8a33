// The manifest of a snapshot: a line for each blob, by id, which is the whole sidecar as it ought to be.
import { createInterface } from 'node:readline'
import type { FileSystem } from '../../storage/fs.ts'
import { asBlobId } from '../../storage/ids.ts'
import { decodeSidecar, encodeSidecar, type Sidecar } from '../../storage/sidecar.ts'
import { writeAll } from '../../storage/volume/durable.ts'

/** A sidecar proves itself however it is laid out, so on one line too. */
export const manifestLine = (sidecar: Sidecar): string => `${JSON.stringify(JSON.parse(encodeSidecar(sidecar)))}\n`

/** Makes the file anew, durably; `write` puts whole lines. */
export async function writeManifest (fs: FileSystem, path: string, write: (put: (lines: string) => Promise<void>) => Promise<void>): Promise<void> {
  const handle = await fs.open(path, 'wx', 0o640)
  try {
    let at = 0
    await write(async (lines) => {
      const bytes = Buffer.from(lines)
      await writeAll(handle, [bytes], at)
      at += bytes.length
    })
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Writes the manifest anew without those lines that `isDropped` says. Returns what they said. */
export async function dropLines (fs: FileSystem, path: string, isDropped: (sidecar: Sidecar) => boolean): Promise<Sidecar[]> {
  const dropped: Sidecar[] = []
  const fresh = `${path}.new`
  await writeManifest(fs, fresh, async (put) => {
    for await (const group of readManifest(fs, path)) {
      const known = group.filter((sidecar) => sidecar !== undefined)
      dropped.push(...known.filter(isDropped))
      await put(known.filter((sidecar) => !isDropped(sidecar)).map(manifestLine).join(''))
    }
  })
  await fs.rename(fresh, path)
  return dropped
}

const linesAtOnce = 500

/** In groups, so that nobody needs to hold all. Undefined for a line that does not prove itself. */
export async function * readManifest (fs: FileSystem, path: string): AsyncGenerator<Array<Sidecar | undefined>> {
  const handle = await fs.open(path, 'r')
  const input = handle.createReadStream({ encoding: 'utf8' })
  let group: Array<Sidecar | undefined> = []
  try {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      if (line === '') continue
      group.push(decode(line))
      if (group.length < linesAtOnce) continue
      yield group
      group = []
    }
    if (group.length > 0) yield group
  } finally {
    input.destroy()
  }
}

/** Ids and extensions become paths: a made-up one must not lead out of the folder. */
function decode (line: string): Sidecar | undefined {
  const sidecar = decodeSidecar(line)
  return sidecar !== undefined && asBlobId(sidecar.id) !== undefined && /^[a-z0-9]{1,8}$/.test(sidecar.extension) ? sidecar : undefined
}
