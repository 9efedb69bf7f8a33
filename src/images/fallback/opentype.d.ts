// The part of opentype.js 2 that is used here; the package comes without types.
declare module 'opentype.js/dist/opentype.mjs' {
  export type BoundingBox = { x1: number, y1: number, x2: number, y2: number }

  export type Path = {
    getBoundingBox (): BoundingBox
    toPathData (decimals: number): string
  }

  export type Glyph = {
    /** In font units. */
    readonly advanceWidth: number
    /** The baseline begins at x, y; y grows downwards, and an em is `fontSize` long. */
    getPath (x: number, y: number, fontSize: number): Path
  }

  export type Font = {
    /** 0 is the glyph of what the font does not have. */
    charToGlyphIndex (character: string): number
    charToGlyph (character: string): Glyph
  }

  /** @throws Error for what is no font. `lowMemory`: a glyph is read when it is asked for */
  export function parse (font: Uint8Array, options: { lowMemory: boolean }): Font
}
