// The bytes of a candidate: counted and hashed at the source, and judged by the rules that hold for an upload.
import { createHash } from 'node:crypto'
import { measure, measureIfImage } from '../../images/measure.ts'
import { errnoOf } from '../../storage/failures.ts'
import type { StagedFile } from '../../storage/store.ts'
import { essenceOf } from '../../transfer/media-type.ts'
import { avatarTypes, sniff, sniffedBytes } from '../../transfer/sniff.ts'
import { tooLarge, Unimportable, type Candidate } from './candidate.ts'

export type Limits = { readonly avatarMaxBytes: number, readonly attachmentMaxBytes: number }

export type SourceBytes = { readonly size: number, readonly sha256: string, readonly head: Buffer }

/** What the bytes are. */
export type Nature = { readonly contentType: string, readonly extension: string, readonly width: number | null, readonly height: number | null }

/** Picture headers can lie behind large colour profiles and thumbnails. */
const measuredBytes = 1024 ** 2

/** Reads all of it, into `staged` where there is one. @throws Unimportable, OldFileRefused, and what staging throws */
export async function readSource ({ kind, read }: Pick<Candidate, 'kind' | 'read'>, limits: Limits, staged?: Pick<StagedFile, 'write'>): Promise<SourceBytes> {
  const maxBytes = kind === 'avatar' ? limits.avatarMaxBytes : limits.attachmentMaxBytes
  const headBytes = kind === 'avatar' ? maxBytes : measuredBytes
  const hash = createHash('sha256')
  const head: Buffer[] = []
  let size = 0
  for await (const chunk of read(maxBytes)) {
    if (size < headBytes) head.push(chunk.subarray(0, headBytes - size))
    size += chunk.length
    if (size > maxBytes) throw tooLarge(maxBytes)
    hash.update(chunk)
    await staged?.write(chunk)
  }
  return { size, sha256: hash.digest('hex'), head: Buffer.concat(head) }
}

/** @throws Unimportable when it is no picture that can be an avatar */
export async function natureOf ({ kind, declaredType }: Pick<Candidate, 'kind' | 'declaredType'>, head: Buffer): Promise<Nature> {
  const { contentType, extension } = await sniff(head.subarray(0, sniffedBytes), declaredType)
  if (kind === 'avatar') {
    if (!avatarTypes.includes(contentType)) throw new Unimportable('wrong-type', `its bytes are ${contentType}, which is no picture that can be an avatar`)
    return { contentType, extension, ...await measure(head).catch(refusePicture) }
  }
  const dimensions = contentType.startsWith('image/') ? await measureIfImage(head) : undefined
  return { contentType, extension, width: dimensions?.width ?? null, height: dimensions?.height ?? null }
}

function refusePicture (error: unknown): never {
  const isLarge = errnoOf(error) === 'IMAGE_TOO_LARGE'
  throw new Unimportable(isLarge ? 'picture-too-large' : 'damaged-picture', isLarge ? 'the picture has too many pixels' : 'the picture is damaged and cannot be read', { cause: error })
}

/** Worth a note: the older system said something else. */
export function mistyped ({ contentType }: Nature, declaredType: string | undefined): string[] {
  if (declaredType === undefined || essenceOf(declaredType) === essenceOf(contentType)) return []
  return [`it was said to be ${JSON.stringify(declaredType)}; by its bytes it is ${contentType}`]
}
