// Where the lines of the log go when no person reads along: many in one write, and none is worth an upload.
import { destination, levels, symbols, type DestinationStream } from 'pino'
import { isFull } from '../storage/failures.ts'

/** Of lines that only inform, at most: characters, and milliseconds. */
const mostWaiting = 8 * 1024
const longestWaitMs = 100

/** Bytes that wait while the disk takes none; lines beyond are lost. */
const mostKept = 1024 ** 2

const { warn } = levels.values

/**
 * A file, by its descriptor. Requests come in such numbers that a write for the line of each would take as long as all else; a line that warns is
 * written at once, with all before it. Call `flushSync` at the exit of the process.
 */
export function bufferedOutput (descriptor: number): DestinationStream & { flushSync (): void } {
  const output = destination({ dest: descriptor, sync: true, maxLength: mostKept }).on('error', unlessFull)
  // It tries those that wait again only with a line that has room beside them.
  output.on('drop', () => output.write(''))
  let waiting = ''
  const flush = () => {
    const lines = waiting
    waiting = ''
    if (lines !== '') output.write(lines)
  }
  setInterval(flush, longestWaitMs).unref()
  return {
    // pino says of each line what it is.
    [symbols.needsMetadataGsym]: true,
    lastLevel: 0,
    write (line: string) {
      waiting += line
      if (this.lastLevel >= (warn ?? 0) || waiting.length >= mostWaiting) flush()
    },
    // Not that of the output, which does not return while the disk is full.
    flushSync: flush,
  } as DestinationStream & { lastLevel: number, flushSync (): void }
}

/** Uploads are worth more than lines about them. @throws any other error */
function unlessFull (error: unknown): void {
  if (!isFull(error)) throw error
}
