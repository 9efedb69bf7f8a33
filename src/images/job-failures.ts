// What the failures of picture jobs mean in the codes of errors.ts.
import { ImageInvalid, ImageTooLarge, ImageTooSlow, MetadataUnreadable } from '../errors.ts'
import { errnoOf } from '../storage/failures.ts'
import { maxFrames, maxPixels, maxSide } from './limits.ts'

/** A process that a picture made end is one that it would make end again. */
const meanings: Readonly<Record<string, (cause: unknown) => Error>> = {
  IMAGE_INVALID: (cause) => new ImageInvalid({ cause }),
  IMAGE_TOO_LARGE: (cause) => new ImageTooLarge(maxPixels, maxSide, maxFrames, { cause }),
  METADATA_UNREADABLE: (cause) => new MetadataUnreadable({ cause }),
  JOB_CRASHED: (cause) => new ImageInvalid({ cause }),
  JOB_TIMED_OUT: (cause) => new ImageTooSlow({ cause }),
}

/** What a job failed with, or what that means, says of the picture, and not of the moment: it would come to the same again. */
export const isOfThePicture = (error: unknown): boolean => (errnoOf(error) ?? '') in meanings || error instanceof ImageTooSlow

/** The error that stands for it; what is no failure of the picture stays what it is, such as ImagesBusy. */
export function meaningOf (error: unknown): unknown {
  return meanings[errnoOf(error) ?? '']?.(error) ?? error
}
