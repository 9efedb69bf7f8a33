import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import { test } from 'tap'
import { leavable, oneAfterOther } from '../../../src/storage/objects/leavable.ts'

const closed = (stream: Readable) => stream.closed || once(stream, 'close')

test('who leaves a stream ends at once what its chunks wait for', async (t) => {
  const source = new PassThrough()
  const stream = leavable(source, () => source.destroy())
  stream.resume()
  await setImmediate()
  stream.destroy()
  await closed(stream)
  t.equal(source.destroyed, true)
})

test('streams come one after the other, each opened when the one before it has ended', async (t) => {
  const opened: string[] = []
  const opens = ['hello', ' ', 'world'].map((word) => async () => { opened.push(word); return Readable.from([Buffer.from(word)]) })
  const stream = oneAfterOther(opens)
  t.strictSame(opened, [])
  t.equal(await text(stream), 'hello world')
  t.strictSame(opened, ['hello', ' ', 'world'])
  t.equal(await text(oneAfterOther([])), '')
})

test('who leaves ends the one that is open, also one that is silent, and opens no other', async (t) => {
  const silent = new PassThrough()
  const stream = oneAfterOther([async () => silent, async () => Readable.from([t.fail('opened all the same')])])
  stream.resume()
  await setImmediate()
  stream.destroy()
  await closed(stream)
  t.equal(silent.destroyed, true)
})

test('one that is opened when nobody reads any more is ended', async (t) => {
  const opening = Promise.withResolvers<Readable>()
  const late = new PassThrough()
  const stream = oneAfterOther([() => opening.promise])
  stream.resume()
  await setImmediate()
  stream.destroy()
  opening.resolve(late)
  await closed(stream)
  t.equal(late.destroyed, true)
})
