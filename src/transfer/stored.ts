// The part of a representation that says how the bytes of a blob are had.
import { mostPartBytes, mostWholeBytes } from '../storage/remembering.ts'
import type { BlobAddress, Store } from '../storage/store.ts'
import { lengthOf } from './range.ts'
import type { Representation } from './representation.ts'

/** `size`: bytes. */
export function stored (store: Pick<Store, 'read' | 'readWhole' | 'remembered' | 'openFile' | 'readPart' | 'rememberedPart' | 'presign'>, address: BlobAddress, size: number): Pick<Representation, 'read' | 'whole' | 'part' | 'file' | 'elsewhere'> {
  const { presign, readWhole, remembered, openFile, readPart, rememberedPart } = store
  const isLarge = size > mostWholeBytes
  return {
    read: (range) => store.read(address, range),
    ...(readWhole !== undefined && remembered !== undefined && !isLarge && { whole: { remembered: () => remembered(address), read: () => readWhole(address, size) } }),
    ...(readPart !== undefined && rememberedPart !== undefined && isLarge && {
      part: (range) => lengthOf(range) > mostPartBytes ? undefined : { remembered: () => rememberedPart(address, range), read: () => readPart(address, size, range) },
    }),
    ...(openFile !== undefined && isLarge && { file: () => openFile(address, size) }),
    // Where its home can be read without the gateway.
    ...(presign !== undefined && { elsewhere: (seconds, headers) => presign(address, seconds, headers) }),
  }
}
