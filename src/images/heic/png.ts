// A PNG file (W3C PNG, third edition) that is not compressed, so that pixels can be put where they belong in any order, with their colour profile.
import { deflateSync } from 'node:zlib'
import { chunk, frame, pngSignature } from '../png-chunks.ts'
import type { Piece } from './picture.ts'

export type Png = {
  /** Parts outside of the picture are left out. */
  put (piece: Piece): void
  /** The file; what was put nowhere is black, or transparent. */
  finish (): Buffer
}

/** 8 bits a sample. `width` at most 16 000 pixels: each row is one block of deflate, which holds 65 535 bytes (RFC 1951, 3.2.4). */
export function createPng ({ width, height, hasAlpha }: { width: number, height: number, hasAlpha: boolean }, icc?: Buffer): Png {
  const pixelBytes = hasAlpha ? 4 : 3
  // The kind of filter, which is none, and the samples.
  const rowBytes = 1 + width * pixelBytes
  const blockBytes = 5 + rowBytes
  const dataBytes = 2 + height * blockBytes + 4

  const header = Buffer.alloc(13)
  header.writeUInt32BE(width)
  header.writeUInt32BE(height, 4)
  header.set([8, hasAlpha ? 6 : 2], 8)
  const profile = icc === undefined ? [] : [chunk('iCCP', Buffer.concat([Buffer.from('icc\0\0'), deflateSync(icc)]))]
  const head = Buffer.concat([pngSignature, chunk('IHDR', header), ...profile])
  const end = chunk('IEND', Buffer.alloc(0))

  const file = Buffer.alloc(head.length + 12 + dataBytes + end.length)
  const data = head.length + 8
  head.copy(file)
  file.writeUInt16BE(0x7801, data)
  end.copy(file, file.length - end.length)

  const rowAt = (y: number) => data + 2 + y * blockBytes + 5

  return {
    put ({ x, y, width: pieceWidth, height: pieceHeight, samples, stride, isPremultiplied }) {
      const from = Math.max(0, -x)
      const to = Math.min(pieceWidth, width - x)
      for (let row = Math.max(0, -y); row < Math.min(pieceHeight, height - y); row++) {
        const start = rowAt(y + row) + 1 + (x + from) * pixelBytes
        file.set(samples.subarray(row * stride + from * pixelBytes, row * stride + to * pixelBytes), start)
        if (isPremultiplied) divideByAlpha(file.subarray(start, start + (to - from) * pixelBytes))
      }
    },
    finish () {
      let sum = 1
      for (let y = 0; y < height; y++) {
        const row = rowAt(y)
        file[row - 5] = y === height - 1 ? 1 : 0
        file.writeUInt16LE(rowBytes, row - 4)
        file.writeUInt16LE(0xffff - rowBytes, row - 2)
        sum = adler32(file.subarray(row, row + rowBytes), sum)
      }
      file.writeUInt32BE(sum, data + dataBytes - 4)
      frame(file.subarray(head.length, file.length - end.length), 'IDAT')
      return file
    },
  }
}

/** RFC 1950, section 9. */
function adler32 (bytes: Uint8Array, sum: number): number {
  let low = sum & 0xffff
  let high = sum >>> 16
  for (let start = 0; start < bytes.length; start += 5552) {
    const end = Math.min(start + 5552, bytes.length)
    for (let at = start; at < end; at++) {
      low += bytes[at] ?? 0
      high += low
    }
    low %= 65_521
    high %= 65_521
  }
  return high * 65_536 + low
}

function divideByAlpha (pixels: Buffer): void {
  for (let at = 0; at < pixels.length; at += 4) {
    // Where nothing is seen, the colour is as good as any.
    const alpha = pixels[at + 3] || 255
    for (let sample = at; sample < at + 3; sample++) pixels[sample] = Math.min(255, Math.round((pixels[sample] ?? 0) * 255 / alpha))
  }
}
