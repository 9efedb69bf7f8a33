// The HEIF decoder: libheif compiled to WebAssembly, a fresh instance for every file, with no more memory than is given to it.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** Functions of libheif's C API. Pointers, sizes and enumerations are numbers; `error` points to where a heif_error goes that C would return. */
export type Libheif = {
  readonly HEAPU8: Uint8Array
  readonly HEAPU32: Uint32Array
  _malloc (bytes: number): number
  _heif_context_alloc (): number
  _heif_context_get_security_limits (context: number): number
  _heif_context_read_from_memory_without_copy (error: number, context: number, file: number, bytes: number, options: 0): void
  _heif_context_get_primary_image_handle (error: number, context: number, out: number): void
  _heif_image_handle_get_width (handle: number): number
  _heif_image_handle_get_height (handle: number): number
  _heif_image_handle_has_alpha_channel (handle: number): number
  _heif_image_handle_get_raw_color_profile_size (handle: number): number
  _heif_image_handle_get_raw_color_profile (error: number, handle: number, out: number): void
  _heif_image_handle_get_nclx_color_profile (error: number, handle: number, out: number): void
  _heif_image_handle_get_image_tiling (error: number, handle: number, isUpright: 1, out: number): void
  _heif_image_handle_decode_image_tile (error: number, handle: number, out: number, colorspace: number, chroma: number, options: number, column: number, row: number): void
  _heif_decoding_options_alloc (): number
  _heif_decode_image (error: number, handle: number, out: number, colorspace: number, chroma: number, options: number): void
  _heif_image_is_premultiplied_alpha (image: number): number
  _heif_image_get_width (image: number, channel: number): number
  _heif_image_get_height (image: number, channel: number): number
  _heif_image_get_plane_readonly2 (image: number, channel: number, stride: number): number
  _heif_image_release (image: number): void
}

type Hooks = {
  print (line: string): void
  printErr (line: string): void
  instantiateWasm (imports: WebAssembly.Imports, receive: (instance: WebAssembly.Instance) => void): WebAssembly.Exports
}

const require = createRequire(import.meta.url)
// Compiled when first needed, and once: the machine code is shared by all instances.
let compiled: WebAssembly.Module | undefined

/**
 * A decoder that has seen no other file: no damage and no pixels of anybody else are left in its memory, and nothing in there need be freed, for it goes as a whole.
 * `onExhausted` is called when it wants more than maxBytes. It does not get them: libheif's own limits do not bind the HEVC decoder in this
 * build, where a stream may be far larger than the file around it says.
 */
export function createLibheif (maxBytes: number, onExhausted: () => void): Libheif {
  const createModule = require('libheif-js/libheif-wasm/libheif.js') as (hooks: Hooks) => Libheif
  const code = compiled ??= new WebAssembly.Module(readFileSync(require.resolve('libheif-js/libheif-wasm/libheif.wasm')))

  function limit (memory: WebAssembly.Memory): void {
    const grow = memory.grow.bind(memory)
    memory.grow = (pages) => {
      if (memory.buffer.byteLength + pages * pageBytes <= maxBytes) return grow(pages)
      onExhausted()
      // Taken for "out of memory" by the module, whose allocations then fail in an orderly way.
      throw new RangeError('more memory than is given')
    }
  }

  function instantiateWasm (imports: WebAssembly.Imports, receive: (instance: WebAssembly.Instance) => void): WebAssembly.Exports {
    const instance = new WebAssembly.Instance(code, imports)
    Object.values(instance.exports).filter((entry) => entry instanceof WebAssembly.Memory).forEach(limit)
    receive(instance)
    return instance.exports
  }

  return createModule({ print () {}, printErr () {}, instantiateWasm })
}

const pageBytes = 65_536
