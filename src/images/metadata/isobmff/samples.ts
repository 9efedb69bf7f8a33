// Where the samples of a track are, which are the frames of a sequence (ISO/IEC 14496-12, sections 8.7.3 to 8.7.5).
import { unreadable } from '../unreadable.ts'
import { only, required, type Box, type BoxReader, type Range } from './boxes.ts'
import { createCursor } from './cursor.ts'

/** The bytes of `count` samples together, of which `first` is the number of the first, from 0. */
type SizeOf = (first: number, count: number) => number

/** From the chunk of number `first` on, from 1, each chunk has so many samples. */
type Run = { readonly first: number, readonly samplesPerChunk: number }

/**
 * The chunks that the boxes of a sample table name. The samples of a chunk stand one behind the other.
 * @throws METADATA_UNREADABLE when one is outside of the boxes of the file
 */
export function readChunks (reader: BoxReader, children: readonly Box[], fileEnd: number): Range[] {
  const sizeOf = readSampleSizes(reader, children)
  const runs = readRuns(reader, children)
  let run = 0
  let sample = 0
  return readOffsets(reader, children).map((start, index) => {
    if (runs[run + 1]?.first === index + 1) run++
    const count = runs[run]?.samplesPerChunk ?? 0
    const end = start + sizeOf(sample, count)
    sample += count
    if (end > fileEnd) throw unreadable('a sample ends behind the end of the file')
    return { start, end }
  })
}

function readSampleSizes (reader: BoxReader, children: readonly Box[]): SizeOf {
  const compact = only(children, 'stz2')
  const content = reader.contentOf(compact ?? required(children, 'stsz'))
  const cursor = createCursor(content)
  cursor.skip(4)
  const size = cursor.number(4)
  const samples = cursor.number(4)
  const length = compact ? (size & 0xff) / 8 : 4
  if (![1, 2, 4].includes(length)) throw unreadable('sample sizes of unknown length')
  const isUniform = !compact && size > 0
  const table = isUniform ? 0 : cursor.skip(samples * length)

  return (first, count) => {
    if (first + count > samples) throw unreadable('a chunk has more samples than there are')
    if (isUniform) return count * size
    let sum = 0
    for (let sample = first; sample < first + count; sample++) sum += content.readUIntBE(table + sample * length, length)
    return sum
  }
}

function readRuns (reader: BoxReader, children: readonly Box[]): Run[] {
  const cursor = createCursor(reader.contentOf(required(children, 'stsc')))
  cursor.skip(4)
  const runs: Run[] = []
  for (let count = cursor.number(4); count > 0; count--) {
    const [first, samplesPerChunk] = [cursor.number(4), cursor.number(4)]
    cursor.skip(4)
    if (first <= (runs.at(-1)?.first ?? 0)) throw unreadable('runs of chunks that do not ascend')
    runs.push({ first, samplesPerChunk })
  }
  return runs
}

function readOffsets (reader: BoxReader, children: readonly Box[]): number[] {
  const large = only(children, 'co64')
  const cursor = createCursor(reader.contentOf(large ?? required(children, 'stco')))
  cursor.skip(4)
  const offsets: number[] = []
  for (let count = cursor.number(4); count > 0; count--) offsets.push(cursor.number(large ? 8 : 4))
  return offsets
}
