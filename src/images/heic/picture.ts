// The primary picture of a HEIF file (ISO/IEC 23008-12): what is told of it, and its pixels, upright.
import type { Libheif } from './libheif.ts'
import { tilingOf, type Tiling } from './tiling.ts'

export type HeifPicture = {
  /** Pixels, as shown: clap, irot and imir are applied; EXIF orientation is not, as the standard wants it. */
  readonly width: number
  readonly height: number
  readonly hasAlpha: boolean
  /** The ICC profile, if there is one. */
  icc (): Buffer | undefined
  /** The colour primaries of the nclx profile, as ITU-T H.273 numbers them; undefined without one. */
  primaries (): number | undefined
  /** All pixels, in one piece or several. A piece is gone when the next one is asked for. */
  pieces (): Generator<Piece>
}

/** 8 bits a sample: RGB, or RGBA where the picture has alpha. */
export type Piece = {
  /** Where it belongs; parts of it may lie outside of the picture. */
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  readonly samples: Uint8Array
  /** Bytes from one row of samples to the next. */
  readonly stride: number
  /** The colours are multiplied with the alpha already. */
  readonly isPremultiplied: boolean
}

// libheif/heif_image.h: heif_colorspace_RGB, heif_chroma_interleaved_RGB and _RGBA, heif_channel_interleaved.
const rgb = 1
const rgb24 = 10
const rgba32 = 11
const interleaved = 10

/**
 * Reads the structure of the file in that heif_context; no pixel is decoded before pieces() are taken, by these heif_decoding_options.
 * Nothing is freed but pieces: the instance goes with the file.
 * @throws Error when libheif does not take it; so do the functions of the picture
 */
export function openPicture (libheif: Libheif, file: Buffer, { context, options }: { context: number, options: number }): HeifPicture {
  const error = allocate(12)
  const out = allocate(128)

  function allocate (bytes: number): number {
    const at = libheif._malloc(bytes)
    if (at === 0) throw new Error(`there are no ${bytes} bytes of memory`)
    return at
  }

  const word = (pointer: number) => libheif.HEAPU32[pointer / 4] ?? 0

  /** Calls what would return a heif_error in C; returns what it wrote to `out`. */
  function call (work: (error: number) => void): number {
    work(error)
    if (word(error) !== 0) throw new Error(`libheif ${word(error)}.${word(error + 4)}: ${text(word(error + 8))}`)
    return word(out)
  }

  function text (start: number): string {
    return Buffer.from(libheif.HEAPU8.subarray(start, libheif.HEAPU8.indexOf(0, start))).toString()
  }

  function openPrimary (): number {
    const bytes = allocate(file.length)
    libheif.HEAPU8.set(file, bytes)
    call((error) => libheif._heif_context_read_from_memory_without_copy(error, context, bytes, file.length, 0))
    return call((error) => libheif._heif_context_get_primary_image_handle(error, context, out))
  }

  const handle = openPrimary()
  const width = libheif._heif_image_handle_get_width(handle)
  const height = libheif._heif_image_handle_get_height(handle)
  if (width < 1 || height < 1) throw new Error(`a picture of ${width} × ${height} pixels`)
  const hasAlpha = libheif._heif_image_handle_has_alpha_channel(handle) !== 0
  const chroma = hasAlpha ? rgba32 : rgb24

  function piece (image: number, x: number, y: number): Piece {
    const start = libheif._heif_image_get_plane_readonly2(image, interleaved, out)
    return {
      x,
      y,
      width: libheif._heif_image_get_width(image, interleaved),
      height: libheif._heif_image_get_height(image, interleaved),
      samples: libheif.HEAPU8.subarray(start),
      stride: word(out),
      isPremultiplied: libheif._heif_image_is_premultiplied_alpha(image) !== 0,
    }
  }

  function * whole (): Generator<Piece> {
    yield piece(call((error) => libheif._heif_decode_image(error, handle, out, rgb, chroma, options)), 0, 0)
  }

  function * tiles ({ columns, rows, tileWidth, tileHeight, left, top }: Tiling): Generator<Piece> {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const image = call((error) => libheif._heif_image_handle_decode_image_tile(error, handle, out, rgb, chroma, options, column, row))
        yield piece(image, column * tileWidth - left, row * tileHeight - top)
        libheif._heif_image_release(image)
      }
    }
  }

  return {
    width,
    height,
    hasAlpha,
    icc () {
      const bytes = libheif._heif_image_handle_get_raw_color_profile_size(handle)
      if (bytes === 0) return undefined
      const profile = allocate(bytes)
      call((error) => libheif._heif_image_handle_get_raw_color_profile(error, handle, profile))
      return Buffer.from(libheif.HEAPU8.subarray(profile, profile + bytes))
    },
    primaries () {
      libheif._heif_image_handle_get_nclx_color_profile(error, handle, out)
      // After its version, in heif_color_profile_nclx (libheif/heif_color.h). An error says that there is none.
      return word(error) === 0 ? word(word(out) + 4) : undefined
    },
    pieces () {
      call((error) => libheif._heif_image_handle_get_image_tiling(error, handle, 1, out))
      const tiling = hasAlpha ? undefined : tilingOf(libheif.HEAPU32.subarray(out / 4, out / 4 + 9), { width, height })
      return tiling === undefined ? whole() : tiles(tiling)
    },
  }
}
