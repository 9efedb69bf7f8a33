// The users who may read an attachment beside its owner, as they are named in a form.
import { UploadFieldInvalid } from '../errors.ts'
import { isUserId } from '../user-id.ts'

export const maxReaders = 500

/** Each once. @throws UploadFieldInvalid */
export function readersIn (text: string = ''): string[] {
  const ids = [...new Set(text.split(',').filter((id) => id !== ''))]
  const wrong = ids.find((id) => !isUserId(id))
  if (wrong !== undefined) throw new UploadFieldInvalid(`readers names "${wrong}", which can be no user's id`)
  if (ids.length > maxReaders) throw new UploadFieldInvalid(`readers names more than ${maxReaders}`)
  return ids
}
