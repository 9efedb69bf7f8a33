// How a picture that is stored as a grid of tiles is put together (ISO/IEC 23008-12, 6.6.2.3), so that only one of them need be in memory.

/** Tiles as they are shown: turned with the picture. */
export type Tiling = {
  readonly columns: number
  readonly rows: number
  readonly tileWidth: number
  readonly tileHeight: number
  /** Pixels of the first column and row that lie left of and above the picture. */
  readonly left: number
  readonly top: number
}

/**
 * Of the words of a heif_image_tiling (libheif/heif_tiling.h, version 1) and the picture as it is shown; undefined when it must be decoded
 * as a whole: one tile, tiles that do not just cover it, or a part cut out of it (clap).
 */
export function tilingOf (words: Uint32Array, { width, height }: { width: number, height: number }): Tiling | undefined {
  const [, columns = 0, rows = 0, tileWidth = 0, tileHeight = 0, imageWidth, imageHeight, topRest, leftRest] = words
  const overWidth = columns * tileWidth - width
  const overHeight = rows * tileHeight - height
  const isCovered = overWidth >= 0 && overWidth < tileWidth && overHeight >= 0 && overHeight < tileHeight
  if (columns * rows < 2 || !isCovered || imageWidth !== width || imageHeight !== height) return undefined
  // libheif 1.23 gives the rest of a division where the shift belongs: only that there is one can be believed.
  return { columns, rows, tileWidth, tileHeight, left: leftRest === 0 ? 0 : overWidth, top: topRest === 0 ? 0 : overHeight }
}
