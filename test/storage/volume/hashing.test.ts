import { createHash, randomBytes } from 'node:crypto'
import { test } from 'tap'
import { createHashing } from '../../../src/storage/volume/hashing.ts'

const mebibyte = 1024 ** 2
const noThread = 'throw new Error("no thread")'
const sha256 = (...bytes: Buffer[]) => createHash('sha256').update(Buffer.concat(bytes)).digest('hex')
const copy = (bytes: Buffer) => Buffer.from(new Uint8Array(bytes).buffer)

test('a thread that ends fails who has asked it with its reason; who comes later gets another', async (t) => {
  const broken = 'require("node:worker_threads").parentPort.once("message", () => { throw new Error("out of order") })'
  const [one, two] = [createHashing({ source: broken }), createHashing({ source: broken })]
  await Promise.all([
    t.rejects(one.update(Buffer.alloc(mebibyte)), { message: 'out of order' }),
    t.rejects(two.update(Buffer.alloc(mebibyte)), { message: 'out of order' }),
  ])
  await t.rejects(one.digest(), { message: 'out of order' }, 'also whose bytes it had before')
  one.drop()
  const leaving = createHashing({ source: 'require("node:worker_threads").parentPort.once("message", () => process.exit(3))' })
  await t.rejects(leaving.update(Buffer.alloc(mebibyte)), { message: /ended with 3/ })
  const bytes = randomBytes(mebibyte)
  const later = createHashing()
  await later.update(copy(bytes))
  t.equal(await later.digest(), sha256(bytes))
})

test('files are hashed side by side, and their bytes come back', async (t) => {
  const blocks = Array.from({ length: 8 }, () => randomBytes(mebibyte))
  const end = randomBytes(5)
  const files = [createHashing(), createHashing()]
  const passed = await Promise.all(blocks.map((block, index) => files[index % 2]?.update(copy(block))))
  t.ok(blocks.every((block, index) => passed[index]?.equals(block)))
  const last = await files[0]?.update(Buffer.concat([end, blocks[0] ?? end]).subarray(0, end.length))
  t.ok(last?.equals(end), 'also a part of a block')
  t.equal(await files[0]?.digest(), sha256(...blocks.filter((_, index) => index % 2 === 0), end))
  t.equal(await files[1]?.digest(), sha256(...blocks.filter((_, index) => index % 2 === 1)))
})

test('who is not interested any more disturbs nobody', async (t) => {
  const [one, two, three] = [createHashing(), createHashing(), createHashing()]
  const bytes = randomBytes(mebibyte)
  await Promise.all([one.update(copy(bytes)), two.update(copy(bytes))])
  one.drop()
  three.drop()
  t.equal(await two.digest(), sha256(bytes))
})

test('a small file needs no thread', async (t) => {
  const file = createHashing({ source: noThread })
  const bytes = Buffer.from('hello')
  t.equal(await file.update(bytes), bytes)
  t.equal(await file.digest(), sha256(bytes))
  t.equal(await createHashing({ source: noThread }).digest(), sha256())
})

test('who knows that more will come says so at once', async (t) => {
  const [large, small] = [createHashing({ bytes: Infinity }), createHashing({ bytes: 100, source: noThread })]
  const [few, block] = [randomBytes(5), randomBytes(mebibyte)]
  const moved = copy(few)
  const passed = await large.update(moved)
  t.equal(moved.buffer.byteLength, 0, 'to the thread')
  t.ok(passed.equals(few))
  await large.update(copy(block))
  for (const bytes of [few, block]) t.equal(await small.update(bytes), bytes)
  t.strictSame([await large.digest(), await small.digest()], [sha256(few, block), sha256(few, block)])
})
