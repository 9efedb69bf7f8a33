// What the jobs throw of a picture, in a form that survives the way between two processes; and whose fault a failure is.
import { createReadStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import type { Picture } from './types.ts'

type PictureErrorCode = 'IMAGE_INVALID' | 'IMAGE_TOO_LARGE' | 'METADATA_UNREADABLE'

export function pictureError (code: PictureErrorCode, message: string, cause?: unknown): Error & { code: PictureErrorCode } {
  return Object.assign(new Error(message, { cause }), { code })
}

/**
 * Whatever fails in here, the picture is damaged, unless something better is known.
 * @throws IMAGE_INVALID; what is thrown with another code of pictures, as it is; what the file system throws
 */
export async function decoding<T> (picture: Picture, decode: () => Promise<T>): Promise<T> {
  try {
    return await decode()
  } catch (error) {
    const { code, message } = error as Error & { code?: unknown }
    if (/^(IMAGE|METADATA)_/.test(String(code))) throw error
    // To the image library a volume that fails looks like a picture that is cut off.
    if ('path' in picture) await finished(createReadStream(picture.path).resume())
    throw pictureError('IMAGE_INVALID', `the picture cannot be decoded: ${message}`, error)
  }
}
