// All files of one user as a tar, with manifests: streamed, a file at a time, each checked against its sha-256 before its last bytes go out.
import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { pack, type Pack } from 'tar-stream'
import type { UserId } from '../callers/caller.ts'
import { StorageUnavailable } from '../errors.ts'
import type { Store } from '../storage/store.ts'
import { cleanFilename } from '../transfer/filename.ts'
import type { ExportedBlob, ExportRecords } from './records.ts'

/** A manifest of more would take memory that a user can make us need. */
const filesPerManifest = 5000

/** A tar knows no time before 1970; it has room for some until 2242, but tar-stream counts the seconds in 32 bits. */
const lastTarTimeMs = (2 ** 31 - 1) * 1000

const trash = ['superseded', 'deleted']

export type Exports = ReturnType<typeof createExports>

export function createExports ({ store, records, now, manifestFiles = filesPerManifest }: { store: Pick<Store, 'read'>, records: ExportRecords, now: () => Date, manifestFiles?: number }) {
  /** Undefined when it was purged since it was listed. */
  async function open (blob: ExportedBlob): Promise<Readable | undefined> {
    try {
      return await store.read(blob)
    } catch (error) {
      if (await records.isThere(blob.id)) throw error
      return undefined
    }
  }

  async function fill (tar: Pack, userId: UserId, first: readonly ExportedBlob[]): Promise<void> {
    const manifest = createManifest(tar, userId, now)
    for (let page = first; page.length > 0; page = await records.page(userId, page.at(-1)?.id)) {
      for (const blob of page) {
        const bytes = await open(blob)
        if (bytes === undefined) continue
        const name = pathOf(blob)
        await pipeline(bytes, checked(blob), tar.entry({ name, size: blob.size, mtime: tarTime(new Date(blob.createdAt)) }))
        manifest.add(describe(blob, name))
        if (manifest.size >= manifestFiles) manifest.write({ isLast: false })
      }
    }
    manifest.write({ isLast: true })
    tar.finalize()
  }

  return {
    /** Ends with an error, and not with the end of a tar, when a file cannot be read or is not the one that was kept. Destroy it to stop. */
    async tarOf (userId: UserId): Promise<Readable> {
      // Before anything is answered, so that a failing database still has a status.
      const first = await records.page(userId)
      const tar = pack()
      const stream = Readable.from(tar, { objectMode: false })
      fill(tar, userId, first).catch((error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error))))
      return stream
    },
  }
}

const tarTime = (at: Date): Date => new Date(Math.min(Math.max(at.getTime(), 0), lastTarTimeMs))

/** Unique by the id, whatever the names are; nothing in it can lead out of the folder it is unpacked in. */
function pathOf ({ kind, id, recordId, extension, filename, state }: ExportedBlob): string {
  const name = kind === 'avatar' ? `avatars/${id}.${extension}` : `attachments/${recordId ?? id}/${cleanFilename(filename ?? '') ?? `file.${extension}`}`
  return trash.includes(state) ? `trash/${name}` : name
}

function describe ({ kind, id, recordId, filename, contentType, size, sha256, state, createdAt, stateAt, visibility, contextType, contextId, alt, width, height, aliases }: ExportedBlob, path: string): object {
  return { path, kind, id: recordId ?? id, filename, contentType, size, sha256, width, height, state, createdAt, stateAt, visibility, contextType, contextId, alt, oldPaths: aliases }
}

/** manifest.json and, where there are very many files, manifest-2.json and so on: each says of the files before it. */
function createManifest (tar: Pack, userId: UserId, now: () => Date) {
  let files: object[] = []
  let part = 1
  const exportedAt = now()
  return {
    get size () { return files.length },
    add (file: object): void { files.push(file) },
    write ({ isLast }: { isLast: boolean }): void {
      tar.entry({ name: part === 1 ? 'manifest.json' : `manifest-${part}.json`, mtime: tarTime(exportedAt) }, `${JSON.stringify({ userId, exportedAt: exportedAt.toISOString(), part, isLast, files }, null, 1)}\n`)
      files = []
      part += 1
    },
  }
}

/** Passes the bytes on; the last of them only when they are the ones that were kept. */
const checked = ({ id, sha256 }: Pick<ExportedBlob, 'id' | 'sha256'>) => async function * (bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  let held: Buffer | undefined
  for await (const chunk of bytes) {
    if (held !== undefined) yield held
    hash.update(chunk)
    held = chunk
  }
  if (hash.digest('hex') !== sha256) throw new StorageUnavailable({ cause: new Error(`The bytes of ${id} on the volume are not the ones that were kept.`) })
  if (held !== undefined) yield held
}
