// The one error of metadata removal: a file whose structure cannot be followed, so that nobody can tell what else it says.
import { pictureError } from '../picture-error.ts'

/** `reason` is for the log. */
export function unreadable (reason: string): Error {
  return pictureError('METADATA_UNREADABLE', `the metadata cannot be read: ${reason}`)
}
