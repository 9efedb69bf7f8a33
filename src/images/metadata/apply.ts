// Makes the edits of a plan while a file streams by.
import type { Edit } from './removal.ts'

/**
 * The bytes of `source`, edited: `edits` are those of its plan.
 * @throws an Error when it ends before the last of them
 */
export async function * applyEdits (source: AsyncIterable<Buffer>, edits: readonly Edit[]): AsyncGenerator<Buffer> {
  const left = edits.values()
  let edit = left.next().value
  let start = 0
  // Everything before it has been passed on, or replaced.
  let done = 0
  for await (const chunk of source) {
    const end = start + chunk.length
    for (; edit !== undefined && edit.start < end; edit = left.next().value) {
      if (edit.start > done) yield chunk.subarray(done - start, edit.start - start)
      if (edit.replacement.length > 0) yield Buffer.from(edit.replacement)
      done = edit.end
    }
    if (done < end) {
      yield chunk.subarray(done - start)
      done = end
    }
    start = end
  }
  if (edit !== undefined || done > start) throw new Error(`a file of ${start} bytes is not the one that was planned for`)
}
