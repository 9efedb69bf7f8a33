// A small part of a file, had at once.
import { StorageUnavailable } from '../errors.ts'
import type { OpenFile } from './fs.ts'
import type { ByteRange } from './store.ts'

/** Closes the file. @throws StorageUnavailable also where there are fewer bytes */
export function readPart (file: OpenFile, { start, end }: ByteRange): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(end - start + 1)
  return new Promise<Buffer>((resolve, reject) => {
    file.read(bytes, bytes.length, start, (error, count) => {
      file.close()
      if (count === bytes.length) resolve(bytes)
      else reject(new StorageUnavailable({ cause: error ?? new Error(`the file ends ${bytes.length - count} bytes too early`) }))
    })
  })
}
