// The bytes of pictures that lie in a file, or in memory: for those who read parts of them, and for those who need all.
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { bytesInMemory, bytesOfFile, type Bytes } from './metadata/bytes.ts'
import type { Picture } from './types.ts'

/** A file is open until `use` returns. */
export function withBytes<T> (picture: Picture, use: (bytes: Bytes) => T): T {
  if ('bytes' in picture) return use(bytesInMemory(picture.bytes))
  const fd = openSync(picture.path, 'r')
  try {
    return use(bytesOfFile(fd))
  } finally {
    closeSync(fd)
  }
}

export const allBytes = async (picture: Picture): Promise<Buffer> => 'bytes' in picture ? picture.bytes : readFile(picture.path)
