import { test } from 'tap'
import { createLibheif, type Libheif } from '../../../src/images/heic/libheif.ts'
import { limitedContext, maxMemoryBytes, strictOptions } from '../../../src/images/heic/limits.ts'

const libheif = createLibheif(maxMemoryBytes, () => {})

test('libheif is told the limits, and to be strict', async (t) => {
  const context = limitedContext(libheif)
  const limits = new DataView(libheif.HEAPU8.buffer, libheif._heif_context_get_security_limits(context))
  t.equal(limits.getBigUint64(8, true), 40_000_000n)
  t.equal(limits.getBigUint64(16, true), 10_000n)
  t.equal(limits.getBigUint64(40, true), BigInt(maxMemoryBytes))
  t.equal(limits.getBigUint64(64, true), BigInt(maxMemoryBytes))
  t.equal(libheif.HEAPU8[strictOptions(libheif) + 21], 1)
})

test('a build that keeps them elsewhere is not used', async (t) => {
  const foreign = (change: (bytes: Uint8Array) => void): Libheif => {
    const bytes = new Uint8Array(256)
    const view = new DataView(bytes.buffer)
    bytes[0] = 4
    view.setBigUint64(8, BigInt(32_768 ** 2), true)
    view.setBigUint64(16, BigInt(4096 ** 2), true)
    for (const offset of [40, 64]) view.setBigUint64(offset, 2n ** 32n, true)
    change(bytes)
    return { ...libheif, HEAPU8: bytes, _heif_context_alloc: () => 0, _heif_context_get_security_limits: () => 0, _heif_decoding_options_alloc: () => 0 }
  }
  t.doesNotThrow(() => limitedContext(foreign(() => {})))
  t.throws(() => limitedContext(foreign((bytes) => { bytes[0] = 5 })), /keeps its settings in another way/)
  for (const offset of [8, 16, 40, 64]) t.throws(() => limitedContext(foreign((bytes) => { bytes[offset] = 1 })), /keeps its settings in another way/)
  t.doesNotThrow(() => strictOptions(foreign((bytes) => { bytes[0] = 10 })))
  t.throws(() => strictOptions(foreign((bytes) => { bytes[0] = 9 })), /keeps its settings in another way/)
  t.throws(() => strictOptions(foreign((bytes) => { bytes[0] = 10; bytes[21] = 1 })), /keeps its settings in another way/)
})
