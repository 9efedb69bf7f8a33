// Fonts out of their WOFF 1.0 wrapping, as far as outlines need them.
import { inflateSync } from 'node:zlib'

const header = 44
const entryLength = 20
const sfntHeader = 12
const sfntEntry = 16

/** What maps a letter to its outline and width; the rest, for shaping and hinting, is most of the work of parsing. */
const needed = new Set(['OS/2', 'cmap', 'glyf', 'head', 'hhea', 'hmtx', 'loca', 'maxp', 'name', 'post'])

/**
 * The TrueType font in a WOFF file (W3C WOFF 1.0, sections 3 to 5). opentype.js reads WOFF too, but its own inflate takes
 * ten times as long, and fails for some of these files.
 */
export function unwrap (woff: Buffer): Buffer {
  const entries = Array.from({ length: woff.readUInt16BE(12) }, (_, index) => woff.subarray(header + index * entryLength, header + (index + 1) * entryLength))
    .filter((entry) => needed.has(entry.toString('latin1', 0, 4)))
  const directory = Buffer.alloc(sfntHeader + entries.length * sfntEntry)
  woff.copy(directory, 0, 4, 8)
  directory.writeUInt16BE(entries.length, 4)

  const tables: Buffer[] = []
  let offset = directory.length
  for (const [index, entry] of entries.entries()) {
    const table = tableOf(woff, entry)
    const at = sfntHeader + index * sfntEntry
    entry.copy(directory, at, 0, 4)
    entry.copy(directory, at + 4, 16, 20)
    directory.writeUInt32BE(offset, at + 8)
    directory.writeUInt32BE(table.length, at + 12)
    tables.push(table)
    offset += table.length
  }
  return Buffer.concat([directory, ...tables])
}

function tableOf (woff: Buffer, entry: Buffer): Buffer {
  const start = entry.readUInt32BE(4)
  const stored = woff.subarray(start, start + entry.readUInt32BE(8))
  return stored.length < entry.readUInt32BE(12) ? inflateSync(stored) : stored
}
