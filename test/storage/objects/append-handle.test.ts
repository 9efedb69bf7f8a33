import { test } from 'tap'
import { createAppendHandle } from '../../../src/storage/objects/append-handle.ts'
import { openForAppending } from '../../../src/storage/ordinary-file.ts'
import { storeFor } from './fixture.ts'

const key = 'erasures.ndjson'

test('what is written until it is to be durable is one more object, behind all that came before', async (t) => {
  const { fs, at, objects } = await storeFor(t)
  for (const text of ['one\n', 'two\n']) {
    const handle = await openForAppending(fs, at(key), 0o640)
    const buffer = Buffer.from(text)
    t.strictSame(await handle.writev([buffer, Buffer.from('.')]), { bytesWritten: 5 })
    buffer.fill('x')
    t.equal((await handle.stat()).isFile(), true)
    await handle.sync()
    await handle.close()
  }
  t.equal(objects.keys().length, 2)
  t.equal(await fs.readFile(at(key), 'utf8'), 'one\n.two\n.')
  t.equal((await fs.stat(at(key))).size, 10)
})

test('to open it makes it, once', async (t) => {
  const { fs, at, objects } = await storeFor(t)
  for (let time = 0; time < 2; time += 1) await (await fs.open(at(key), 'a')).close()
  t.equal(objects.keys().length, 1)
  t.equal(await fs.readFile(at(key), 'utf8'), '')
})

test('what failed is not tried again by the close', async (t) => {
  const { objects } = await storeFor(t)
  const handle = createAppendHandle(objects, key)
  await handle.writev([Buffer.from('x')])
  objects.before = () => { throw new Error('away') }
  await t.rejects(handle.sync(), { message: 'away' })
  objects.before = () => {}
  await handle.close()
  t.strictSame(objects.keys(), [])
})
