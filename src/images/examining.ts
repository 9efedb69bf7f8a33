// What is asked of the processes about a picture that is to be kept: what it looks like, what is personal in it, and whether it looks the same without.
import { errnoOf } from '../storage/failures.ts'
import { canMove, isTooLarge } from './limits.ts'
import type { Plan } from './metadata/plan.ts'
import type { Turn } from './processes/budget.ts'
import type { Processes } from './processes/pool.ts'
import { weightOf, weightOfFile } from './processes/weight.ts'
import type { Header, PictureFile } from './types.ts'

export type Look = {
  /** Pixels, upright; null when not even its header can be read. */
  readonly width: number | null
  readonly height: number | null
  /** Base64; null when it cannot be decoded. */
  readonly thumbhash: string | null
}

export type Examining = ReturnType<typeof createExamining>

/** For certain: a process that was lost does not tell that. */
export const isUndecodable = (error: unknown): boolean => ['IMAGE_INVALID', 'IMAGE_TOO_LARGE'].includes(errnoOf(error) ?? '')

/** Whether a plan may take pixels: of what is damaged nobody can tell where it ends. What is merely too large to be decoded was followed to its end. */
export function mayCutPixels ({ cutsUnclaimed }: Plan, { width, height, thumbhash }: Look): boolean {
  return cutsUnclaimed === true && thumbhash === null && !isTooLarge({ width: width ?? 0, height: height ?? 0 })
}

/** All of it throws what the jobs throw. */
export function createExamining ({ run }: Pick<Processes, 'run'>, { line }: Pick<Turn, 'line'>) {
  const headerOf = async (file: PictureFile) => run('header', file, { weight: await weightOfFile(file), line })
  const decoding = async (file: PictureFile, header: Header) => ({ weight: await weightOfFile(file) + weightOf({ contentType: file.contentType, ...header, frames: canMove(header, 0) ? header.frames : 1 }), line })

  return {
    plan: (file: PictureFile): Promise<Plan> => run('plan', file, { weight: 0, line }),

    /** As much as its header tells, of what fails in a way that `isExpected`. */
    async look (file: PictureFile, isExpected: (error: unknown) => boolean): Promise<Look> {
      const unlessExpected = (error: unknown): undefined => {
        if (!isExpected(error)) throw error
        return undefined
      }
      const header = await headerOf(file).catch(unlessExpected)
      if (header === undefined) return { width: null, height: null, thumbhash: null }
      const inspected = await run('inspect', file, await decoding(file, header)).catch(unlessExpected)
      return { width: header.width, height: header.height, thumbhash: inspected?.thumbhash ?? null }
    },

    /** Whether a copy shows the same; what cannot be decoded has no look that could change (see mayCutPixels). */
    async isSameLook (file: PictureFile, otherPath: string, { thumbhash }: Look): Promise<boolean> {
      if (thumbhash === null) return true
      try {
        return await run('isSameLook', { ...file, otherPath }, await decoding(file, await headerOf(file)))
      } catch (error) {
        if (isUndecodable(error)) return false
        throw error
      }
    },
  }
}
