// What libheif is told to refuse, written to where this build keeps it: its C structures have no setters.
import { maxPixels } from '../limits.ts'
import type { Libheif } from './libheif.ts'

const mebibyte = 1024 ** 2

/** Bytes of file, decoder and pixels together: enough for 40 megapixels in 8 bits with transparency, or in 10 bits without. */
export const maxMemoryBytes = 448 * mebibyte

/** heif_security_limits version 4 (libheif/heif_security.h) on 32 bits: where its 64-bit numbers lie, what they are by default, and what we set. */
const securityLimits = [
  { offset: 8, usual: 32_768 ** 2, ours: maxPixels },
  { offset: 16, usual: 4096 ** 2, ours: 10_000 }, // tiles
  { offset: 40, usual: 4096 * mebibyte, ours: maxMemoryBytes }, // one block of memory
  { offset: 64, usual: 4096 * mebibyte, ours: maxMemoryBytes }, // all of it
] as const

/**
 * A heif_context in which files are read.
 * @throws Error when this build keeps its limits in another way: it must not be given any file then
 */
export function limitedContext (libheif: Libheif): number {
  const context = libheif._heif_context_alloc()
  const view = new DataView(libheif.HEAPU8.buffer, libheif._heif_context_get_security_limits(context))
  expect(view.getUint8(0) === 4)
  for (const { offset, usual, ours } of securityLimits) {
    expect(view.getBigUint64(offset, true) === BigInt(usual))
    view.setBigUint64(offset, BigInt(ours), true)
  }
  return context
}

/**
 * heif_decoding_options version 10 (libheif/heif_decoding.h): invalid input is an error, not made the best of.
 * @throws Error as limitedContext
 */
export function strictOptions (libheif: Libheif): number {
  const options = libheif._heif_decoding_options_alloc()
  const strict = options + 21
  expect(libheif.HEAPU8[options] === 10 && libheif.HEAPU8[strict] === 0)
  libheif.HEAPU8[strict] = 1
  return options
}

function expect (isAsKnown: boolean): void {
  if (!isAsKnown) throw new Error('this build of libheif keeps its settings in another way than is known here')
}
