// One connection of the pool, with a socket of its own: so that it can be seen to be silent, and be given up when nothing answers on it any more.
import { Socket } from 'node:net'
import pg from 'pg'
import { connectMs } from './connection.ts'
import type { Backend } from './server.ts'

export class PoolConnection extends pg.Client {
  readonly #socket: Socket
  /** Known once it is in the pool. */
  backend: Backend = { pid: 0, since: '' }

  constructor (config: pg.ClientConfig) {
    const socket = new Socket()
    // The pool's own limit is for waiting until one is free.
    super({ ...config, connectionTimeoutMillis: connectMs, stream: () => socket })
    this.#socket = socket
  }

  /** A question was asked, and is not answered to its end. */
  get isWaiting (): boolean {
    // The driver's own state; it has no public name.
    return (this as { readyForQuery?: unknown }).readyForQuery === false
  }

  get bytesRead (): number {
    return this.#socket.bytesRead
  }

  /** What was asked fails at once, and the pool takes another connection. */
  giveUp (): void {
    this.#socket.destroy(new Error('PostgreSQL does not answer on this connection'))
  }
}
