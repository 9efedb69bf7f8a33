// The lines of a text file one by one, of any size of file. A line ends at \n and nowhere else: JSON may hold what others take for an end.
import type { FileSystem } from '../../storage/fs.ts'
import { openOrdinary } from '../../storage/ordinary-file.ts'

const chunkBytes = 64 * 1024

/** A file of garbage may have no \n at all. What is longer than any line of ours is cut, and does not prove itself. */
const maxLineBytes = 16 * 1024 ** 2

const newline = 0x0a

/** Without empty lines. @throws NotOrdinary; what open(2) and read(2) say otherwise */
export async function * textLines (fs: FileSystem, path: string, longest = maxLineBytes): AsyncGenerator<string> {
  for await (const text of everyLine(fs, path, longest)) if (text !== '') yield text
}

/** With the empty ones, for who counts them. @throws NotOrdinary; what open(2) and read(2) say otherwise */
export async function * everyLine (fs: FileSystem, path: string, longest = maxLineBytes): AsyncGenerator<string> {
  const handle = await openOrdinary(fs, path)
  try {
    const line = createLine(longest)
    const buffer = Buffer.allocUnsafe(chunkBytes)
    for (let at = 0; ;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
      if (bytesRead === 0) break
      at += bytesRead
      const chunk = buffer.subarray(0, bytesRead)
      let start = 0
      for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
        line.add(chunk.subarray(start, end))
        start = end + 1
        yield line.take()
      }
      line.add(chunk.subarray(start))
    }
    yield line.take()
  } finally {
    await handle.close()
  }
}

/** The line that is being read: a character may lie across two chunks, so it is text only when it is whole. */
function createLine (longest: number) {
  let parts: Buffer[] = []
  let length = 0
  return {
    add (part: Buffer): void {
      const kept = Buffer.from(part.subarray(0, longest - length))
      length += kept.length
      if (kept.length > 0) parts.push(kept)
    },
    take (): string {
      const text = Buffer.concat(parts, length).toString('utf8')
      parts = []
      length = 0
      return text
    },
  }
}
