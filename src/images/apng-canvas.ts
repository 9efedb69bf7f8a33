// Draws the frames of an animated PNG, one after the other, as they are seen (PNG Specification, Third Edition, section 11.3.6.2).
import type { ApngFrame } from './apng.ts'
import { sharp } from './sharp.ts'

type Size = { readonly width: number, readonly height: number }

/** Gives the canvas after each frame, RGBA; it is the same memory each time. */
export async function * composed (frames: readonly ApngFrame[], size: Size): AsyncGenerator<Buffer> {
  const canvas = Buffer.alloc(size.width * size.height * 4)
  for (const [index, frame] of frames.entries()) {
    const before = frame.disposal === 'previous' && index > 0 ? rowsOf(canvas, size, frame).map((row) => Buffer.from(row)) : undefined
    const rows = rowsOf(canvas, size, frame)
    const pixels = await pixelsOf(frame)
    rows.forEach((row, y) => drawRow(row, pixels.subarray(y * row.length, (y + 1) * row.length), frame.isBlended))
    yield canvas
    if (before) rows.forEach((row, y) => before[y]?.copy(row))
    else if (frame.disposal !== 'none') rows.forEach((row) => row.fill(0))
  }
}

async function pixelsOf ({ png }: ApngFrame): Promise<Buffer> {
  return sharp(png, { failOn: 'error' }).ensureAlpha().raw().toBuffer()
}

/** The part of each row of the canvas that the frame covers. */
function rowsOf (canvas: Buffer, size: Size, { left, top, width, height }: ApngFrame): Buffer[] {
  return Array.from({ length: height }, (_, y) => {
    const start = ((top + y) * size.width + left) * 4
    return canvas.subarray(start, start + width * 4)
  })
}

function drawRow (row: Buffer, pixels: Buffer, isBlended: boolean): void {
  if (!isBlended) pixels.copy(row)
  else for (let at = 0; at < row.length; at += 4) blend(row, pixels, at)
}

/** The operation over, of colours that are not multiplied with their alpha (Porter and Duff 1984). In whole numbers: it is done for millions. */
function blend (row: Buffer, pixels: Buffer, at: number): void {
  const alpha = pixels[at + 3] as number
  if (alpha === 0) return
  const above = alpha * 255
  const below = (row[at + 3] as number) * (255 - alpha)
  const both = above + below
  row[at] = ((pixels[at] as number) * above + (row[at] as number) * below) / both + 0.5
  row[at + 1] = ((pixels[at + 1] as number) * above + (row[at + 1] as number) * below) / both + 0.5
  row[at + 2] = ((pixels[at + 2] as number) * above + (row[at + 2] as number) * below) / both + 0.5
  row[at + 3] = both / 255 + 0.5
}
