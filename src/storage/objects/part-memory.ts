// Memory for parts on their way: bounded in the whole process, and used again while it is needed. The collector would let go of it much later.
import { createAllowance } from './allowance.ts'

/** What is not larger goes whole. Amazon S3 takes no part under 5 MiB but the last. */
export const partBytes = 8 * 1024 ** 2

/** However many uploads there are. */
const inFlight = createAllowance(8 * partBytes)

let spare: Buffer[] = []
let users = 0

/** Waits for `length` bytes of memory, which are the work's until it ends. @throws the reason of `signal` while it waits */
export function withMemory<T> (length: number, signal: AbortSignal, work: (bytes: Buffer) => Promise<T>): Promise<T> {
  return inFlight.during(length, signal, async () => {
    users += 1
    try {
      const bytes = length === partBytes ? spare.pop() ?? Buffer.allocUnsafeSlow(length) : Buffer.allocUnsafeSlow(length)
      const result = await work(bytes)
      // After a failure somebody may still be reading from it.
      if (length === partBytes) spare.push(bytes)
      return result
    } finally {
      users -= 1
      if (users === 0) spare = []
    }
  })
}
