// What JSON says of the scan of a file.
import { Type } from 'typebox'

export const ScanSchema = Type.Union([Type.Enum(['clean', 'unscanned']), Type.Null()], {
  description: 'clean: the scanner knew nothing against the bytes as they arrived. unscanned: it could not look at them, and they were kept all the same. null: there was no scanner.',
})
