import { test } from 'tap'
import { createTurns } from '../../src/plugins/turns.ts'

const never = new AbortController().signal

const settled = async (work: Promise<unknown>): Promise<boolean> => {
  const later = new Promise((resolve) => { setImmediate(() => resolve('waits')) })
  return await Promise.race([work, later]) !== 'waits'
}

test('turns of one key come one after the other, in the order in which they were asked for; other keys do not wait', async (t) => {
  const turns = createTurns()
  const first = await turns.take('a', never)
  const order: number[] = []
  const others = [1, 2, 3].map(async (number) => {
    const turn = await turns.take('a', never)
    order.push(number)
    turn.end()
  })
  t.equal(await settled(Promise.race(others)), false)
  t.equal(await settled(turns.take('b', never)), true)
  first.end()
  await Promise.all(others)
  t.strictSame(order, [1, 2, 3])
  t.equal(await settled(turns.take('a', never)), true, 'and then it is free')
})

test('a turn that has begun cannot be given up, one that has not can; to end it twice ends no other', async (t) => {
  const turns = createTurns()
  const idle = await turns.take('a', never)
  const next = turns.take('a', never)
  idle.giveUp()
  const second = await next
  second.begin()
  second.giveUp()
  idle.end()
  const third = turns.take('a', never)
  t.equal(await settled(third), false)
  second.end()
  t.equal(await settled(third), true)
})

test('who waits can be sent away, with the reason, and is then in nobody\'s way', async (t) => {
  const turns = createTurns()
  const first = await turns.take('a', never)
  const leaving = new AbortController()
  const gone = turns.take('a', leaving.signal)
  const stays = turns.take('a', never)
  leaving.abort(new Error('left'))
  await t.rejects(gone, { message: 'left' })
  await t.rejects(turns.take('a', leaving.signal), { message: 'left' }, 'also who has left before')
  first.end()
  t.equal(await settled(stays), true)
})
