// The bytes of a large file on their way into an answer: read into buffers that are used again once the connection has taken what was in them.
import { Readable } from 'node:stream'
import { StorageUnavailable } from '../errors.ts'
import type { OpenFile } from '../storage/fs.ts'
import type { ByteRange } from '../storage/store.ts'
import { pieceBuffers, type PieceBuffers } from './piece-buffers.ts'
import { lengthOf } from './range.ts'

/** What tells when it has taken what it was given. */
type Answer = NodeJS.WritableStream & { once (event: 'close', listener: () => void): unknown }

/**
 * Closes the file at its end, or when it is destroyed. Only to be piped: nobody else could tell when the bytes are not needed any more. Fails with
 * StorageUnavailable where there are fewer: Node itself would end a short answer as if it were whole.
 */
export class FileBody extends Readable {
  readonly #file: OpenFile
  readonly #buffers: PieceBuffers
  readonly #free: Buffer[] = []
  readonly #going = new Set<Buffer>()
  #answer: Answer | undefined
  #at: number
  #left: number
  #isReading = false
  #onceRead = () => {}

  constructor (file: OpenFile, range: ByteRange, buffers: PieceBuffers = pieceBuffers) {
    super()
    this.#file = file
    this.#buffers = buffers
    this.#at = range.start
    this.#left = lengthOf(range)
  }

  override pipe<T extends NodeJS.WritableStream> (answer: T): T {
    // The client was gone before it came to that, and the file is closed.
    if (this.destroyed) return answer
    this.#answer = answer
    this.#free.push(...this.#buffers.take(this.#left))
    this.once('end', () => answer.end())
    this.#answer.once('close', () => this.#giveUp())
    this.#readNext()
    return answer
  }

  /** One at a time, into what is free: who takes nothing costs no more than its buffers. */
  #readNext (): void {
    if (this.#isReading || this.#left === 0) return
    const buffer = this.#free.pop()
    if (buffer === undefined) return
    this.#isReading = true
    this.#file.read(buffer, Math.min(buffer.length, this.#left), this.#at, (error, count) => {
      this.#isReading = false
      if (error === null && count > 0 && !this.destroyed) return this.#give(buffer, count)
      this.#buffers.giveBack(buffer)
      this.#onceRead()
      this.destroy(new StorageUnavailable({ cause: error ?? new Error(`the file ends ${this.#left} bytes too early`) }))
    })
  }

  #give (buffer: Buffer, count: number): void {
    this.#at += count
    this.#left -= count
    this.#going.add(buffer)
    this.#answer?.write(buffer.subarray(0, count), (error) => {
      // Given up already.
      if (!this.#going.delete(buffer)) return
      if (error != null) return this.#buffers.giveUp(buffer)
      if (this.destroyed || this.#left === 0) return this.#buffers.giveBack(buffer)
      this.#free.push(buffer)
      this.#readNext()
    })
    if (this.#left > 0) return this.#readNext()
    this.push(null)
    this.resume()
  }

  /** The connection is gone, and says nothing of what it still has. */
  #giveUp (): void {
    for (const buffer of this.#going) this.#buffers.giveUp(buffer)
    this.#going.clear()
  }

  /** A descriptor that is read from stays open until then: it would be another file's. */
  override _destroy (error: Error | null, done: (error: Error | null) => void): void {
    for (const buffer of this.#free.splice(0)) this.#buffers.giveBack(buffer)
    const close = () => { this.#file.close(); done(error) }
    if (this.#isReading) this.#onceRead = close
    else close()
  }
}
