// The manifest of a snapshot: a line for each blob, by id, which is the whole sidecar as it ought to be.
import type { FileSystem } from '../../storage/fs.ts'
import { asBlobId } from '../../storage/ids.ts'
import { decodeSidecar, encodeSidecar, type Sidecar } from '../../storage/sidecar.ts'
import { writeAll } from '../../storage/volume/durable.ts'
import { Refusal } from '../refusal.ts'
import { textLines } from './text-lines.ts'

/** A sidecar proves itself however it is laid out, so on one line too. */
export const manifestLine = (sidecar: Sidecar): string => `${oneLine(JSON.stringify(JSON.parse(encodeSidecar(sidecar))))}\n`

/** JSON leaves these two as they are, and many tools take them for ends of lines. */
const oneLine = (json: string): string => json.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')

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

/** Nobody knows what is in a line that cannot be read, so none may be dropped for that. */
export class DamagedManifest extends Refusal {
  constructor () {
    super('A line of the manifest does not prove itself, so nothing was taken out of it. Run this again; if it says so again, "upload-gateway verify" finds what is damaged.')
  }
}

/**
 * Writes the manifest anew, each line as `changed` says it, and without those of which it says nothing. Returns what these said.
 * @throws DamagedManifest; it is as it was then
 */
export async function changeLines (fs: FileSystem, path: string, changed: (sidecar: Sidecar) => Sidecar | undefined): Promise<Sidecar[]> {
  const dropped: Sidecar[] = []
  const fresh = `${path}.new`
  await writeManifest(fs, fresh, async (put) => {
    for await (const group of readManifest(fs, path)) {
      const known = group.filter((sidecar) => sidecar !== undefined)
      if (known.length < group.length) throw new DamagedManifest()
      const fresh = known.map(changed)
      dropped.push(...known.filter((_, index) => fresh[index] === undefined))
      await put(fresh.filter((sidecar) => sidecar !== undefined).map(manifestLine).join(''))
    }
  })
  await fs.rename(fresh, path)
  return dropped
}

/** In a group. */
const linesAtOnce = 500

/** In groups, so that nobody needs to hold all. Undefined for a line that does not prove itself. */
export async function * readManifest (fs: FileSystem, path: string, atOnce = linesAtOnce): AsyncGenerator<Array<Sidecar | undefined>> {
  let group: Array<Sidecar | undefined> = []
  for await (const line of textLines(fs, path)) {
    group.push(decode(line))
    if (group.length < atOnce) continue
    yield group
    group = []
  }
  if (group.length > 0) yield group
}

/** Ids and extensions become paths: a made-up one must not lead out of the folder. */
function decode (line: string): Sidecar | undefined {
  const sidecar = decodeSidecar(line)
  return sidecar !== undefined && asBlobId(sidecar.id) !== undefined && /^[a-z0-9]{1,8}$/.test(sidecar.extension) ? sidecar : undefined
}
