import { test } from 'tap'
import { createPieceBuffers, largePieceBytes, smallPieceBytes } from '../../src/transfer/piece-buffers.ts'

const sizes = (buffers: Buffer[]) => buffers.map(({ length }) => length)

test('what is large gets two large buffers, and what is small one of its size', (t) => {
  const { take } = createPieceBuffers()
  t.strictSame(sizes(take(10)), [10])
  t.strictSame(sizes(take(smallPieceBytes)), [smallPieceBytes])
  t.strictSame(sizes(take(smallPieceBytes + 1)), [largePieceBytes, largePieceBytes])
  t.end()
})

test('those that come back are used again, a few of them', (t) => {
  const { take, giveBack } = createPieceBuffers({ idle: 1 })
  const [one, two] = take(1e9)
  if (one === undefined || two === undefined) throw new Error('there are none')
  giveBack(one)
  giveBack(two)
  const [again, other] = take(1e9)
  t.equal(again, one)
  t.not(other, two)
  t.end()
})

test('of those that a connection may have, none is used again', (t) => {
  const { take, giveUp, giveBack } = createPieceBuffers({ most: 2 })
  const lent = take(1e9)
  lent.forEach(giveUp)
  const [one, two] = take(1e9)
  t.notOk([one, two].some((buffer) => buffer === undefined || lent.includes(buffer)))
  const small = take(1e9)
  t.strictSame(sizes(small), [smallPieceBytes], 'two are lent')
  small.forEach(giveBack)
  take(1).forEach(giveUp)
  t.strictSame(sizes(take(1e9)), [smallPieceBytes], 'those were none of them')
  t.end()
})
