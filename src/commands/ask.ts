// A yes-or-no question, where a person sits at a terminal.
import { createInterface } from 'node:readline/promises'
import type { ReadStream, WriteStream } from 'node:tty'

type Terminal = { readonly input: Pick<ReadStream, 'isTTY'> & NodeJS.ReadableStream, readonly output: Pick<WriteStream, 'isTTY'> & NodeJS.WritableStream }

/** Undefined where nobody could answer. Anything but y or yes is a no. */
export function createAsk ({ input, output }: Terminal): ((question: string) => Promise<boolean>) | undefined {
  if (input.isTTY !== true || output.isTTY !== true) return undefined
  return async (question) => {
    const lines = createInterface({ input, output })
    // A terminal that is closed answers nothing.
    const closed = new Promise<string>((resolve) => { lines.once('close', () => resolve('')) })
    try {
      return /^y(es)?$/i.test((await Promise.race([lines.question(`${question} [y/N] `), closed])).trim())
    } finally {
      lines.close()
    }
  }
}
