// Takes a picture in: decoded once, so that what is kept can be shown, and without what is personal in it, before anything is published.
import { createReadStream } from 'node:fs'
import { MetadataUnreadable } from '../errors.ts'
import type { StagedFile, Store } from '../storage/store.ts'
import { writeAll } from '../storage/write-all.ts'
import { createExamining, mayCutPixels, type Look } from './examining.ts'
import { isOfThePicture, meaningOf } from './job-failures.ts'
import { applyEdits } from './metadata/apply.ts'
import type { Edit } from './metadata/plan.ts'
import type { Processes } from './processes/pool.ts'
import { isPictureType, type PictureFile } from './types.ts'

/** Bytes that were received, staged and finished. */
export type Arrived = { readonly staged: StagedFile, /** Bytes. */ readonly size: number, /** Lower-case hex. */ readonly sha256: string }

/** What is kept of a picture beside its bytes; of other files all of it is null. */
export type PictureFacts = Look & {
  /** Null where nobody looked for any. */
  readonly metadataRemoved: string[] | null
}

/** The file to publish or discard, which may be another one than the one that arrived, and what is known of it. */
export type Taken = Arrived & { readonly facts: PictureFacts }

type How = {
  readonly contentType: string
  /** As it is, byte for byte. */
  readonly keepsMetadata: boolean
  /** It is of no use unless it can be shown. */
  readonly mustShow: boolean
}

export type Intake = ReturnType<typeof createIntake>

const readBytes = 256 * 1024

const noPicture: PictureFacts = { width: null, height: null, thumbhash: null, metadataRemoved: null }

export function createIntake ({ processes, store }: { processes: Pick<Processes, 'run'>, store: Pick<Store, 'stage'> }) {
  const examining = createExamining(processes, { line: 'upload' })

  async function withoutMetadata (arrived: Arrived, edits: readonly Edit[]): Promise<Arrived> {
    const staged = await store.stage()
    try {
      await writeAll(staged, applyEdits(createReadStream(arrived.staged.path, { highWaterMark: readBytes }), edits))
      return { staged, ...await staged.finish() }
    } catch (error) {
      await staged.discard()
      throw error
    }
  }

  async function takePicture (arrived: Arrived, file: PictureFile, { keepsMetadata, mustShow }: How): Promise<Taken> {
    const look = await examining.look(file, (error) => !mustShow && isOfThePicture(error))
    if (keepsMetadata) return { ...arrived, facts: { ...look, metadataRemoved: null } }
    const plan = await examining.plan(file)
    if (mayCutPixels(plan, look)) throw new MetadataUnreadable()
    const { edits, removed } = plan
    const facts = { ...look, metadataRemoved: [...removed] }
    if (edits.length === 0) return { ...arrived, facts }
    const stripped = await withoutMetadata(arrived, edits)
    try {
      if (!await examining.isSameLook(file, stripped.staged.path, look)) throw new MetadataUnreadable()
    } catch (error) {
      await stripped.staged.discard()
      throw error
    }
    await arrived.staged.discard()
    return { ...stripped, facts }
  }

  return {
    /**
     * The caller publishes or discards what it returns; what arrived is used up then.
     * @throws MetadataUnreadable when it cannot be told what is personal in a picture; with `mustShow` ImageInvalid, ImageTooLarge, ImageTooSlow; ImagesBusy, StorageFull, StorageUnavailable
     */
    async take ({ staged, size, sha256 }: Arrived, how: How): Promise<Taken> {
      const { contentType } = how
      const arrived = { staged, size, sha256 }
      if (!isPictureType(contentType)) return { ...arrived, facts: noPicture }
      return takePicture(arrived, { path: staged.path, contentType }, how).catch((error: unknown) => { throw meaningOf(error) })
    },
  }
}
