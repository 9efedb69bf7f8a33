// A stream as the destination of a backup: a tar that, unpacked, is a backup folder. Blobs first, and last what makes it one.
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pack as createPack } from 'tar-stream'
import type { FileHandle, FileSystem } from '../../storage/fs.ts'
import { blobPath } from '../../storage/volume/layout.ts'
import { Refusal } from '../refusal.ts'
import type { Destination, Kept } from './destination.ts'
import { encodeBackup } from './folder.ts'
import { hashFault, readFault, sizeFault, type BlobFault } from './inspect-blob.ts'
import { backupFile, blobsFolder, format, snapshotsFolder } from './layout.ts'
import { hashing, withRegular } from './regular-file.ts'

const mode = 0o640
const useless = 'The tar is of no use; run the backup again.'

type Write = (put: (chunk: Buffer) => Promise<void>) => Promise<unknown>

type Options = { readonly fs: FileSystem, readonly output: Writable, readonly volume: string, readonly createdAt: Date }

export async function toTar ({ fs, output, volume, createdAt }: Options): Promise<Destination> {
  const pack = createPack()
  // Heard of through the pipeline; without a listener each stream of tar-stream would end the process.
  pack.on('error', () => {})
  // Of what streams say when they are closed early, the output's own reason is the one to tell.
  const sent = pipeline(pack, output).catch((error: unknown) => {
    throw new Refusal(`The tar could not be written to its end: ${error instanceof Error ? error.message : String(error)}. ${useless}`, { cause: error })
  })
  let failure: unknown
  let fail = (_error: unknown): void => {}
  sent.catch((error: unknown) => {
    failure = error
    fail(error)
  })

  /** What is waited for would never come from streams that are closed. */
  const unlessFailed = (start: (resolve: () => void, reject: (error: unknown) => void) => void) => new Promise<void>((resolve, reject) => {
    fail = reject
    if (failure === undefined) start(resolve, reject)
    else reject(failure)
  })

  /** tar-stream wants the size first, and then exactly so many bytes. */
  async function entry (name: string, size: number, mtime: Date, write: Write): Promise<void> {
    await enter(name, size, mtime, write).catch(async (error: unknown) => {
      // The reason why the output ended is the one to tell.
      if (pack.destroyed) await sent
      throw error
    })
  }

  async function enter (name: string, size: number, mtime: Date, write: Write): Promise<void> {
    const { promise: packed, resolve, reject } = Promise.withResolvers<void>()
    packed.catch(() => {})
    const sink = pack.entry({ name, size, mode, mtime }, (error) => { if (error) reject(error); else resolve() })
    sink.on('error', () => {})
    await write(async (chunk) => {
      if (!sink.write(Buffer.from(chunk))) await unlessFailed((drained) => { sink.once('drain', drained) })
    })
    sink.end(null)
    await unlessFailed((done, failing) => { packed.then(done, failing) })
  }

  async function copy (handle: FileHandle, size: number, sidecar: Parameters<Destination['keep']>[0]): Promise<BlobFault | undefined> {
    // Read twice, because what was sent cannot be taken back.
    const fault = hashFault(await hashing(handle, size), sidecar)
    if (fault !== undefined) return fault
    await entry(blobPath(blobsFolder, sidecar), size, new Date(sidecar.createdAt), (put) => hashing(handle, size, put)).catch((error: unknown) => {
      if (error instanceof Refusal) throw error
      throw new Refusal(`The file ${sidecar.id} could not be sent to its end: ${error instanceof Error ? error.message : String(error)}. ${useless}`, { cause: error })
    })
    return undefined
  }

  const text = encodeBackup({ format, volume, createdAt: createdAt.toISOString() })
  await entry(backupFile, Buffer.byteLength(text), createdAt, (put) => put(Buffer.from(text)))

  return {
    atOnce: 1,
    newest: undefined,

    async keep (sidecar, source): Promise<Kept | BlobFault> {
      try {
        return await withRegular(fs, source, async (handle, size) =>
          size === sidecar.size ? await copy(handle, size, sidecar) ?? 'copied' : sizeFault(size, sidecar))
      } catch (error) {
        if (error instanceof Refusal) throw error
        return readFault(error)
      }
    },

    async publish (name, work, files) {
      for (const file of files) {
        const path = join(work, file)
        const { size } = await stat(path)
        await entry(`${snapshotsFolder}/${name}/${file}`, size, createdAt, async (put) => { for await (const chunk of createReadStream(path)) await put(chunk as Buffer) })
      }
      pack.finalize()
      await sent
    },

    async close () { pack.destroy() },
  }
}
