// The memory in which bytes wait to be written, used again and again, and the turns in which they are: both are bounded for the whole process.
import { free } from '../free.ts'

/** One write of 1 MiB costs about what one of 64 KiB does. */
const blockBytes = 1024 ** 2

/** For who comes while others fill the large ones: each upload has one, and there may be hundreds. */
export const mediumBytes = 256 * 1024

/** Most files are no larger. */
const smallBytes = 64 * 1024

/** Being hashed or written at once, of all files, and large ones being filled: enough to keep the disk and a thread busy. */
const mostAtOnce = 8

/** Small ones that are kept: as many as are under way at once where many are. */
const mostSmall = 64

const unused: Buffer[] = []
const unusedSmall: Buffer[] = []
const waiting: Array<() => void> = []
let turns = mostAtOnce
let beingFilled = 0

/** A buffer with anything in it: a small one where that holds `bytes`, else the largest there is now. Say when it is filled. */
export function takeBlock (bytes: number): Buffer {
  if (bytes <= smallBytes) return unusedSmall.pop() ?? Buffer.allocUnsafeSlow(smallBytes)
  if (beingFilled === mostAtOnce) return Buffer.allocUnsafeSlow(mediumBytes)
  beingFilled += 1
  return unused.pop() ?? Buffer.allocUnsafeSlow(blockBytes)
}

/** Its turn comes, or it is given up: nothing more is put into it. Once for each, before its memory goes to another thread. */
export function filledBlock ({ length }: Buffer): void {
  if (length === blockBytes) beingFilled -= 1
}

/** A buffer, of this module or not, that nobody needs any more. */
export function giveBlock (block: Buffer): void {
  if (block.length === blockBytes && unused.length < mostAtOnce) unused.push(block)
  else if (block.length === smallBytes && unusedSmall.length < mostSmall) unusedSmall.push(block)
  else free(block)
}

/** In the order in which they come. Waits for no client: who has a turn gives it back when the disk has answered. */
export function inTurn (work: () => Promise<void>, begun: () => void): Promise<void> {
  if (turns > 0) {
    turns -= 1
    return inOwnTurn(work, begun)
  }
  const { promise, resolve } = Promise.withResolvers<void>()
  waiting.push(() => resolve(inOwnTurn(work, begun)))
  return promise
}

/** It begins at once: who comes a moment later and finds a turn free is not to be the first. */
async function inOwnTurn (work: () => Promise<void>, begun: () => void): Promise<void> {
  begun()
  try {
    await work()
  } finally {
    const next = waiting.shift()
    if (next === undefined) turns += 1
    else next()
  }
}
