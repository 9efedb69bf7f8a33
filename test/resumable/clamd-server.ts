// A scanner whose verdict a test sets at any time: what every upload has to pass before it is kept.
import type { Socket } from 'node:net'
import type { Test } from 'tap'
import { daemon } from '../scanning/fixtures/daemon.ts'

export async function createClamdServer (t: Test) {
  const held: Socket[] = []
  let last: Socket | undefined
  const scanner = {
    url: '',
    answer: 'clean' as 'clean' | 'infected' | 'down' | 'waits',
    waiting: () => held.length,
    /** Those who wait are told that all is well, and from now on everybody. */
    release (): void {
      scanner.answer = 'clean'
      for (const socket of held.splice(0)) socket.end('stream: OK\0')
    },
  }
  const { url } = await daemon(t, {
    onData (socket) { last = socket },
    answer () {
      if (scanner.answer === 'waits' && last !== undefined) held.push(last)
      return { clean: 'stream: OK', infected: 'stream: Bad FOUND', down: 'UNKNOWN COMMAND', waits: undefined }[scanner.answer]
    },
  })
  scanner.url = url
  return scanner
}
