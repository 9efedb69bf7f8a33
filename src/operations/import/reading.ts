// The bytes of a candidate: counted and hashed at the source, and judged by the rules that hold for an upload.
import { createHash } from 'node:crypto'
import { isOfThePicture } from '../../images/job-failures.ts'
import { refuseTooLarge } from '../../images/limits.ts'
import type { Processes } from '../../images/processes/pool.ts'
import { weightOfFile } from '../../images/processes/weight.ts'
import { isPictureType } from '../../images/types.ts'
import { errnoOf } from '../../storage/failures.ts'
import type { StagedFile } from '../../storage/store.ts'
import { essenceOf } from '../../transfer/media-type.ts'
import { avatarTypes, sniff, sniffedBytes } from '../../transfer/sniff.ts'
import { isBusy, notLookedAt } from '../patience.ts'
import { tooLarge, Unimportable, type Candidate, type RefusalCode } from './candidate.ts'

export type Limits = { readonly avatarMaxBytes: number, readonly attachmentMaxBytes: number }

export type SourceBytes = {
  readonly size: number
  readonly sha256: string
  /** As much from the start as is looked into. */
  readonly head: Buffer
  /** A file with all of it, where there is one. */
  readonly path?: string | undefined
}

/** What the bytes are. */
export type Nature = { readonly contentType: string, readonly extension: string, readonly width: number | null, readonly height: number | null }

/** Picture headers can lie behind large colour profiles and thumbnails. */
const measuredBytes = 1024 ** 2

/** Reads all of it, into `staged` where there is one, which is finished then. @throws Unimportable, OldFileRefused, and what staging throws */
export async function readSource ({ kind, read }: Pick<Candidate, 'kind' | 'read'>, limits: Limits, staged?: Pick<StagedFile, 'path' | 'write' | 'finish'>): Promise<SourceBytes> {
  const maxBytes = kind === 'avatar' ? limits.avatarMaxBytes : limits.attachmentMaxBytes
  // A staged file can be looked into where it is.
  const headBytes = staged !== undefined ? sniffedBytes : kind === 'avatar' ? maxBytes : measuredBytes
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
  await staged?.finish()
  return { size, sha256: hash.digest('hex'), head: Buffer.concat(head), path: staged?.path }
}

/** By its first bytes. @throws Unimportable when it is of no type that an avatar can be of */
export async function typeOf ({ kind, declaredType }: Pick<Candidate, 'kind' | 'declaredType'>, head: Buffer): Promise<Pick<Nature, 'contentType' | 'extension'>> {
  const { contentType, extension } = await sniff(head.subarray(0, sniffedBytes), declaredType)
  if (kind === 'avatar' && !avatarTypes.includes(contentType)) throw new Unimportable('wrong-type', `its bytes are ${contentType}, which is no picture that can be an avatar`)
  return { contentType, extension }
}

/** @throws Unimportable when it is no picture that can be an avatar */
export async function natureOf (candidate: Pick<Candidate, 'kind' | 'declaredType'>, { head, path }: Pick<SourceBytes, 'head' | 'path'>, { run }: Pick<Processes, 'run'>): Promise<Nature> {
  const { contentType, extension } = await typeOf(candidate, head)
  const nature = { contentType, extension, width: null, height: null }
  if (!isPictureType(contentType)) return nature
  try {
    const picture = path === undefined ? { bytes: head, contentType } : { path, contentType }
    const { width, height } = await run('header', picture, { weight: await weightOfFile(picture), line: 'variant' })
    if (candidate.kind === 'avatar') refuseTooLarge({ width, height })
    return { ...nature, width, height }
  } catch (error) {
    const refusal = refusalOf(error)
    if (refusal === undefined) throw error
    if (candidate.kind === 'avatar') throw new Unimportable(...refusal, { cause: error })
    return nature
  }
}

/** Undefined for what is not to be said of the picture. */
function refusalOf (error: unknown): [code: RefusalCode, reason: string] | undefined {
  if (isBusy(error)) return ['not-looked-at', notLookedAt]
  if (errnoOf(error) === 'IMAGE_TOO_LARGE') return ['picture-too-large', 'the picture has too many pixels or frames']
  return isOfThePicture(error) ? ['damaged-picture', 'the picture is damaged and cannot be read'] : undefined
}

/** Worth a note: the older system said something else. */
export function mistyped ({ contentType }: Nature, declaredType: string | undefined): string[] {
  if (declaredType === undefined || essenceOf(declaredType) === essenceOf(contentType)) return []
  return [`it was said to be ${JSON.stringify(declaredType)}; by its bytes it is ${contentType}`]
}
