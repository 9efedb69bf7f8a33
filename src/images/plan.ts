// The job that says how to take the metadata out of a picture; what that is, its format's walker knows.
import { planRemoval, type Plan } from './metadata/plan.ts'
import type { PictureFile } from './types.ts'
import { withBytes } from './with-bytes.ts'

/** @throws METADATA_UNREADABLE, and what the file system throws */
export function plan (file: PictureFile): Plan {
  return withBytes(file, (bytes) => planRemoval(bytes, file.contentType))
}
