// Memory for the pieces in which large files go out. Buffers are used again: to have a new one of this size from the system takes longer than to fill it.

/** Reads of 256 KiB reach two thirds of the speed; of 1 MiB, no more. */
export const largePieceBytes = 512 * 1024

/** For who comes when all large ones are lent, as when a thousand clients take their time. */
export const smallPieceBytes = 64 * 1024

/** 32 MiB. */
const mostLent = 64

/** 2 MiB. */
const mostIdle = 4

export type PieceBuffers = ReturnType<typeof createPieceBuffers>

export function createPieceBuffers ({ most = mostLent, idle: mostKept = mostIdle }: { most?: number, idle?: number } = {}) {
  const idle: Buffer[] = []
  let lent = 0

  return {
    /** For `length` bytes, piece by piece: two, so that one is filled while the other goes out, or one small one. Give each back, or up, once. */
    take (length: number): Buffer[] {
      if (length <= smallPieceBytes || lent + 2 > most) return [Buffer.allocUnsafeSlow(Math.min(length, smallPieceBytes))]
      lent += 2
      return [idle.pop() ?? Buffer.allocUnsafeSlow(largePieceBytes), idle.pop() ?? Buffer.allocUnsafeSlow(largePieceBytes)]
    },

    /** Nobody has it any more. */
    giveBack (buffer: Buffer): void {
      if (buffer.length !== largePieceBytes) return
      lent -= 1
      if (idle.length < mostKept) idle.push(buffer)
    },

    /** A connection may still have it: it is not used again. */
    giveUp (buffer: Buffer): void {
      if (buffer.length === largePieceBytes) lent -= 1
    },
  }
}

/** Of the process. */
export const pieceBuffers: PieceBuffers = createPieceBuffers()
