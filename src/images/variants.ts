// Variants of stored pictures: out of the cache, or made once, however many ask at the same time. Who may see them is not known here.
import { buffer } from 'node:stream/consumers'
import { StorageUnavailable } from '../errors.ts'
import type { BlobId } from '../storage/ids.ts'
import { mostWholeBytes } from '../storage/remembering.ts'
import type { LocalFile } from '../storage/store.ts'
import type { CachedVariant, VariantCache } from './cache/cache.ts'
import { createFailed } from './failed.ts'
import type { Jobs } from './jobs.ts'
import { canMove, maxAnimatedPixelsOut } from './limits.ts'
import type { Processes } from './processes/pool.ts'
import { pixelBytes, weightOf, weightOfFile, weightOfOutput, type Measures } from './processes/weight.ts'
import { masterName, variantName, type VariantSpec } from './spec.ts'
import { isHeic, type Picture, type PictureType, type Rendered } from './types.ts'

export type VariantSource = {
  readonly blobId: BlobId
  readonly contentType: PictureType
  /** Pixels, upright; null where the record does not know. */
  readonly width: number | null
  readonly height: number | null
  readonly frames?: number | undefined
  /** It was decoded when it came in. */
  readonly isProven: boolean
  /** The blob's own file. */
  open (): Promise<LocalFile>
}

/** `whole`: its bytes, where they are in memory. */
export type ServedVariant = Omit<CachedVariant, 'bytes'> & { readonly whole?: { remembered (): Buffer | undefined, read (): Promise<Buffer> } }

export type Variants = ReturnType<typeof createVariants>

type Options = {
  readonly processes: Pick<Processes, 'run'>
  readonly cache: Pick<VariantCache, 'get' | 'put' | 'remembered'>
  /** Milliseconds, of a clock that is never set. */
  readonly nowMs?: () => number
}

/** What decoding may take at most for nobody to look how much it is: some four megapixels. */
const smallBytes = 32 * 1024 ** 2

export function createVariants ({ processes, cache, nowMs = () => performance.now() }: Options) {
  /** What is being made, by blob and name. */
  const makings = new Map<string, Promise<CachedVariant>>()

  const failed = createFailed(nowMs)

  /** `input` is asked for when its turn has come: until then others may have found that the picture cannot be shown. */
  async function run<Name extends 'header' | 'master' | 'render'> (name: Name, source: VariantSource, weight: number, input: () => Promise<Parameters<Jobs[Name]>[0]>): Promise<Awaited<ReturnType<Jobs[Name]>>> {
    const checked = () => { failed.refuse(source); return input() }
    try {
      failed.refuse(source)
      return await processes.run(name, checked, { weight, line: 'variant' })
    } catch (error) {
      throw failed.note(source, error)
    }
  }

  /** Out of the cache, or made: once for all who ask while it lasts. */
  function kept (source: VariantSource, name: string, work: (path: string) => Promise<Rendered>): Promise<CachedVariant> {
    const key = `${source.blobId}/${name}`
    const made = makings.get(key) ?? getOrMake(source, name, work).finally(() => makings.delete(key))
    makings.set(key, made)
    return made
  }

  async function getOrMake (source: VariantSource, name: string, work: (path: string) => Promise<Rendered>): Promise<CachedVariant> {
    const known = await cache.get(source.blobId, name)
    if (known !== undefined) return known
    const file = await source.open()
    try {
      return await cache.put(source.blobId, name, await work(file.path), file.isThere)
    } catch (error) {
      throw await file.isThere().catch(() => true) ? error : new StorageUnavailable({ cause: error })
    } finally {
      await file.release()
    }
  }

  function variant (source: VariantSource, spec: VariantSpec): Promise<CachedVariant> {
    return kept(source, variantName(spec), (path) => isHeic(source.contentType) ? renderFromMaster(source, spec, path) : render(source, spec, path))
  }

  async function render (source: VariantSource, spec: VariantSpec, path: string): Promise<Rendered> {
    const { contentType } = source
    const weight = weightOfRender(contentType, await measures(source, path, spec.isAnimated), spec)
    return run('render', source, weight, async () => ({ path, contentType, spec }))
  }

  async function renderFromMaster (source: VariantSource, spec: VariantSpec, path: string): Promise<Rendered> {
    const master = await kept(source, masterName, (path) => makeMaster(source, path))
    const contentType = master.contentType === 'image/png' ? 'image/png' : 'image/jpeg'
    // Megabytes: read when its turn has come, and not before. Should the cache have lost it by then, the picture itself will do.
    const input = async (): Promise<Picture> => wholeOf(master).then((bytes) => ({ bytes, contentType }), () => ({ path, contentType: source.contentType }))
    const weight = weightOfRender(contentType, { ...master, frames: 1, isProgressive: false }, spec)
    return run('render', source, weight, async () => ({ ...await input(), spec }))
  }

  async function makeMaster (source: VariantSource, path: string): Promise<Rendered> {
    const { contentType } = source
    return run('master', source, weightOf({ contentType, ...await measures(source, path) }) + await weightOfFile({ path, contentType }), async () => ({ path, contentType }))
  }

  /** What the record knows, if that is enough to tell what decoding takes; else what the picture says, which takes a millisecond. */
  async function measures (source: VariantSource, path: string, isAnimated = false): Promise<Measures> {
    const { contentType, width, height, frames } = source
    if (width !== null && height !== null && (!isAnimated || frames !== undefined)) {
      const known = { width, height, frames: frames ?? 1 }
      if (isHeic(contentType) || weightOf({ contentType, ...known, frames: 1 }) < smallBytes) return known
    }
    return run('header', source, await weightOfFile({ path, contentType }), async () => ({ path, contentType }))
  }

  /** Whoever has this does not hold the bytes. Made anew they may be others, which are not those that were asked for. */
  function wholeAt (source: VariantSource, spec: VariantSpec, sha256: string): NonNullable<ServedVariant['whole']> {
    const remembered = () => {
      const entry = cache.remembered(source.blobId, variantName(spec))
      return entry?.sha256 === sha256 ? entry.bytes : undefined
    }
    return {
      remembered,
      async read () {
        const known = remembered()
        if (known !== undefined) return known
        const again = await variant(source, spec)
        if (again.sha256 !== sha256) throw new StorageUnavailable({ cause: new Error('made anew, the variant is another one') })
        return wholeOf(again)
      },
    }
  }

  return {
    /**
     * A picture that cannot be shown is not tried again for a while. The entry can be read for as long as the blob is there: should the
     * cache lose it before, it is made anew.
     * @throws ImageInvalid, ImageTooLarge, ImageTooSlow, ImagesBusy; StorageUnavailable when the blob is missing or cannot be had now
     */
    async get (source: VariantSource, spec: VariantSpec): Promise<ServedVariant> {
      const { bytes, ...entry } = await variant(source, spec)
      return {
        ...entry,
        ...(bytes !== undefined && bytes.length <= mostWholeBytes && { whole: wholeAt(source, spec, entry.sha256) }),
        read: (range) => entry.read(range).catch(async (error: unknown) => {
          const again = await variant(source, spec)
          // The tag and the length of the answer are those of the first.
          if (again.sha256 !== entry.sha256) throw error
          return again.read(range)
        }),
      }
    },
  }
}

/** Bytes of memory. */
function weightOfRender (contentType: PictureType, { width, height, frames, ...rest }: Measures, spec: VariantSpec): number {
  // How large the file is, which may keep an animation from moving too, is not known here.
  const decoded = spec.isAnimated && canMove({ width, height, frames }, 0) ? frames : 1
  return weightOf({ contentType, width, height, frames: decoded, ...rest }) + Math.min(weightOfOutput(spec) * decoded, maxAnimatedPixelsOut * pixelBytes)
}

async function wholeOf (entry: CachedVariant): Promise<Buffer> {
  const bytes = await buffer(await entry.read())
  if (bytes.length !== entry.size) throw new Error('cut off meanwhile')
  return bytes
}
