import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { test } from 'tap'
import { ObjectsUnavailable } from '../../../src/storage/objects/objects.ts'
import { steadyStream } from '../../../src/storage/objects/steady-stream.ts'

const bytes = randomBytes(1000)

/** Brings the bytes from `start` to `end`, then ends, breaks or says nothing more. */
function body (start: number, end: number, then: 'ends' | 'breaks' | 'is silent' = 'ends'): Readable {
  const chunks: Buffer[] = []
  for (let at = start; at < end; at += 100) chunks.push(bytes.subarray(at, Math.min(at + 100, end)))
  return new Readable({
    // Nothing is read ahead, which would be lost when it breaks.
    highWaterMark: 1,
    read () {
      const chunk = chunks.shift()
      if (chunk !== undefined) this.push(chunk)
      else if (then === 'ends') this.push(null)
      else if (then === 'breaks') this.destroy(new Error('cut'))
    },
  })
}

/** Also of one that broke. */
const closed = (stream: Readable) => new Promise((resolve) => stream.once('close', resolve))

/** A stream of all bytes whose connections are these, one after the other, and where each was opened. */
function steady (bodies: Array<Readable | Error>, silenceMs = 60_000) {
  const offsets: number[] = []
  const [first, ...rest] = bodies
  const reopen = async (offset: number) => {
    offsets.push(offset)
    const next = rest.shift()
    if (next === undefined || next instanceof Error) throw next ?? new Error('unreachable')
    return next
  }
  return { offsets, stream: steadyStream({ name: 'an object', bytes: bytes.length, first: first as Readable, reopen, silenceMs }) }
}

test('an object comes whole over one connection', async (t) => {
  const { stream, offsets } = steady([body(0, 1000)])
  t.ok((await buffer(stream)).equals(bytes))
  t.strictSame(offsets, [])
})

test('what was cut is taken up where it stopped, as often as bytes come', async (t) => {
  const { stream, offsets } = steady([body(0, 300, 'breaks'), body(300, 300, 'breaks'), body(300, 450, 'breaks'), body(450, 450), body(450, 999, 'breaks'), body(999, 999), body(999, 1000)])
  t.ok((await buffer(stream)).equals(bytes))
  t.strictSame(offsets, [300, 300, 450, 450, 999, 999])
})

test('a connection that ends short is no end', async (t) => {
  const { stream, offsets } = steady([body(0, 500), body(500, 1000)])
  t.ok((await buffer(stream)).equals(bytes))
  t.strictSame(offsets, [500])
})

test('what breaks behind the last byte does not matter', async (t) => {
  const { stream, offsets } = steady([body(0, 1000, 'breaks')])
  t.ok((await buffer(stream)).equals(bytes))
  t.strictSame(offsets, [])
})

test('what cannot be taken up is an error, never a short success', async (t) => {
  await t.rejects(buffer(steady([body(0, 300, 'breaks')]).stream), { name: 'ObjectsUnavailable', cause: { message: 'unreachable' } })
  await t.rejects(buffer(steady([body(0, 300), body(300, 300), body(300, 300), body(300, 1000)]).stream), { name: 'ObjectsUnavailable', cause: { message: 'It ended after 300 of 1000 bytes.' } })
})

test('a store that is gone for a moment is waited for, no longer than one that is silent, and not for who has left', async (t) => {
  const gone = () => new ObjectsUnavailable('it is gone')
  const { stream, offsets } = steady([body(0, 300, 'breaks'), gone(), gone(), body(300, 1000)])
  t.ok((await buffer(stream)).equals(bytes))
  t.strictSame(offsets, [300, 300, 300])
  await t.rejects(buffer(steady([body(0, 300, 'breaks'), gone(), gone(), gone(), gone()], 150).stream), { name: 'ObjectsUnavailable', cause: { message: 'it is gone' } })
  const left = steady([body(0, 300, 'breaks'), gone(), gone(), gone()])
  left.stream.resume()
  while (left.offsets.length < 1) await setImmediate()
  left.stream.destroy()
  await setTimeout(300)
  t.ok(left.offsets.length <= 2)
})

test('more bytes than there are is an error', async (t) => {
  const { stream } = steady([body(0, 800), body(700, 1000)])
  await t.rejects(buffer(stream), { name: 'ObjectsUnavailable' })
})

test('a connection that brings nothing is given up', async (t) => {
  const { stream, offsets } = steady([body(0, 300, 'is silent'), body(300, 1000)], 20)
  t.ok((await buffer(stream)).equals(bytes))
  t.strictSame(offsets, [300])
})

test('a reader may be as slow as it likes', async (t) => {
  const { stream, offsets } = steady([body(0, 1000)], 20)
  const read: Buffer[] = []
  for await (const chunk of stream) {
    read.push(chunk as Buffer)
    if (read.length === 2) await setTimeout(60)
  }
  t.ok(Buffer.concat(read).equals(bytes))
  t.strictSame(offsets, [])
})

test('while a reader takes nothing no connection is held, and then it goes on where it was', async (t) => {
  const large = randomBytes(1_000_000)
  const from = (offset: number) => Readable.from((function * () { for (let at = offset; at < large.length; at += 50_000) yield large.subarray(at, at + 50_000) })(), { objectMode: false })
  const offsets: number[] = []
  const first = from(0)
  const stream = steadyStream({ name: 'an object', bytes: large.length, first, reopen: async (offset) => { offsets.push(offset); return from(offset) }, restMs: 20 })
  await once(stream, 'readable')
  await closed(first)
  t.strictSame(offsets, [], 'it is not opened before somebody reads')
  t.ok((await buffer(stream)).equals(large))
  t.match(offsets, [Number])
})

test('a connection that breaks before anybody reads is found by who does', async (t) => {
  const first = body(0, 1000)
  const { stream, offsets } = steady([first, body(0, 1000)])
  first.destroy(new Error('cut'))
  await closed(first)
  t.ok((await buffer(stream)).equals(bytes))
  t.strictSame(offsets, [0])
})

test('a reader that leaves ends the connection at once, also one that is silent', async (t) => {
  const first = body(0, 100, 'is silent')
  const { stream } = steady([first])
  await once(stream, 'readable')
  stream.destroy()
  await closed(first)
  t.equal(first.destroyed, true)

  const second = body(0, 100, 'is silent')
  const flowing = steady([second]).stream
  flowing.resume()
  await once(flowing, 'data')
  await setImmediate()
  flowing.destroy()
  t.equal(second.destroyed, true, 'while the next bytes are waited for')
  await closed(flowing)
})

test('a connection that is taken up when nobody reads any more is ended', async (t) => {
  const second = body(100, 1000)
  const reopening = Promise.withResolvers<Readable>()
  const asked = Promise.withResolvers<number>()
  const stream = steadyStream({ name: 'an object', bytes: 1000, first: body(0, 100), reopen: (offset) => { asked.resolve(offset); return reopening.promise } })
  stream.resume()
  t.equal(await asked.promise, 100)
  stream.destroy()
  reopening.resolve(second)
  await closed(second)
  t.equal(second.destroyed, true)
})
