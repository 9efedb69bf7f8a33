// Reads parts of a file that may be far larger than memory should ever hold of it.
import { fstatSync, readSync } from 'node:fs'
import { unreadable } from './unreadable.ts'

export type Bytes = {
  readonly size: number
  /** At most `length` bytes from `start`: shorter only at the end of the file. */
  readonly read: (start: number, length: number) => Buffer
}

// Small reads that follow one another cost one call to the system per window.
const windowBytes = 64 * 1024

/** The bytes of an open file. It stays the caller's to close. */
export function bytesOfFile (fd: number): Bytes {
  const { size } = fstatSync(fd)
  let window: Buffer = Buffer.alloc(0)
  let windowStart = 0
  return {
    size,
    read (start, length) {
      const wanted = Math.max(0, Math.min(length, size - start))
      if (start < windowStart || start + wanted > windowStart + window.length) {
        // A new buffer each time: what was handed out before is still in use.
        window = readFully(fd, start, Math.max(wanted, Math.min(windowBytes, size - start)))
        windowStart = start
      }
      return window.subarray(start - windowStart, start - windowStart + wanted)
    },
  }
}

/** Bytes that are in memory already. */
export function bytesInMemory (buffer: Buffer): Bytes {
  return { size: buffer.length, read: (start, length) => buffer.subarray(start, start + length) }
}

/** @throws METADATA_UNREADABLE when the file ends before */
export function readExactly (bytes: Bytes, start: number, length: number): Buffer {
  const part = bytes.read(start, length)
  if (part.length < length) throw unreadable(`it ends at ${bytes.size}, within what begins at ${start}`)
  return part
}

/** Whether [start, end) has nothing but zeros and 0xFF in it, which tell nothing. */
export function isPadding (bytes: Bytes, start: number, end: number): boolean {
  for (let at = start; at < end; at += windowBytes) {
    const part = bytes.read(at, Math.min(windowBytes, end - at))
    for (let index = 0; index < part.length; index++) if (part[index] !== 0 && part[index] !== 0xff) return false
  }
  return true
}

/** Where the first byte is, from `start` on, that is not zero. */
export function afterZeros (bytes: Bytes, start: number): number {
  for (let at = start; at < bytes.size; at += windowBytes) {
    const index = bytes.read(at, windowBytes).findIndex((byte) => byte !== 0)
    if (index >= 0) return at + index
  }
  return bytes.size
}

function readFully (fd: number, start: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const count = readSync(fd, buffer, filled, length - filled, start + filled)
    if (count === 0) break
    filled += count
  }
  return buffer.subarray(0, filled)
}
