// Talks to a ClamAV daemon: has it look at bytes, and asks for the version of its signatures. What follows from its answers is decided elsewhere.
import { once } from 'node:events'
import { createConnection, type NetConnectOpts, type Socket } from 'node:net'

export type Clamd = ReturnType<typeof createClamd>

/** The name of what is harmful in the bytes; undefined when the daemon knows nothing against them. */
export type Verdict = string | undefined

const maxAnswerLength = 4096
const maxNameLength = 200

/** `url`: tcp://host:port or unix:/path. Each question is a connection of its own, given up when its `signal` aborts. */
export function createClamd (url: string) {
  const address = addressOf(url)

  /** `isEarly`: the answer came before all was said. @throws whatever keeps the daemon from answering, and the reason of `signal` */
  async function ask (said: AsyncIterable<Buffer> | Iterable<Buffer>, signal: AbortSignal): Promise<{ answer: string, isEarly: boolean }> {
    signal.throwIfAborted()
    const socket = createConnection(address)
    const over = new AbortController()
    const stop = () => socket.destroy(signal.reason)
    signal.addEventListener('abort', stop)
    let isEarly = true
    const saying = say(socket, said, over.signal).then(() => { isEarly = false })
    const answered = answerOf(socket)
    try {
      const answer = await Promise.race([answered, saying.then(() => answered)])
      return { answer, isEarly }
    } finally {
      signal.removeEventListener('abort', stop)
      over.abort()
      socket.destroy()
      answered.catch(() => {})
      saying.catch(() => {})
    }
  }

  return {
    /** @throws when the daemon cannot be reached, does not look at all of it, or says anything but its verdict */
    async scan (bytes: AsyncIterable<Buffer>, signal: AbortSignal): Promise<Verdict> {
      const { answer, isEarly } = await ask(instream(bytes), signal)
      const [, name] = /^stream: (.+) FOUND$/.exec(answer) ?? []
      // With AlertExceedsMax it says in this way that it did not look at all of it.
      if (name !== undefined && !name.startsWith('Heuristics.Limits.Exceeded')) return name.slice(0, maxNameLength)
      if (answer !== 'stream: OK' || isEarly) throw new Error(`The scanner answered "${answer}"${isEarly ? ' before it had all' : ''}.`)
      return undefined
    },

    /** Of engine and signatures, as the daemon writes it; null when it keeps that to itself. */
    async version (signal: AbortSignal): Promise<string | null> {
      const { answer } = await ask([Buffer.from('zVERSION\0')], signal)
      return answer.startsWith('ClamAV') ? answer.slice(0, maxNameLength) : null
    },
  }
}

/** A host that is an IPv6 address stands in brackets. */
function addressOf (url: string): NetConnectOpts {
  if (url.startsWith('unix:')) return { path: url.slice('unix:'.length) }
  const { hostname, port } = new URL(url)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), noDelay: true }
}

/** Each chunk after its length; a length of 0 ends them. */
async function * instream (bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield Buffer.from('zINSTREAM\0')
  for await (const chunk of bytes) yield Buffer.concat([lengthOf(chunk), chunk])
  yield lengthOf(Buffer.alloc(0))
}

function lengthOf ({ length }: Buffer): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(length)
  return bytes
}

/** No faster than the daemon reads. */
async function say (socket: Socket, said: AsyncIterable<Buffer> | Iterable<Buffer>, signal: AbortSignal): Promise<void> {
  for await (const bytes of said) if (!socket.write(bytes)) await once(socket, 'drain', { signal })
}

function answerOf (socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part
      if (text.includes('\0')) resolve(text.slice(0, text.indexOf('\0')))
      else if (text.length > maxAnswerLength) reject(new Error('The scanner does not come to the end of its answer.'))
    })
    socket.once('error', reject)
    // As it does with a file beyond its StreamMaxLength, where its words on that come too late.
    socket.once('close', () => reject(new Error('The scanner closed the connection before it had answered.')))
  })
}
