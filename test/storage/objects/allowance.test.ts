import { test } from 'tap'
import { createAllowance } from '../../../src/storage/objects/allowance.ts'

const never = new AbortController().signal

/** Works that go on until they are told to end, in the order in which they began. */
function works () {
  const begun: string[] = []
  const ends = new Map<string, PromiseWithResolvers<string>>()
  return {
    begun,
    work: (name: string) => async () => {
      begun.push(name)
      const end = Promise.withResolvers<string>()
      ends.set(name, end)
      return end.promise
    },
    end: (name: string) => ends.get(name)?.resolve(name),
    fail: (name: string) => ends.get(name)?.reject(new Error(name)),
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

test('as much as is allowed goes on at once, and the rest in the order in which it came', async (t) => {
  const allowance = createAllowance(10)
  const { begun, work, end } = works()
  const done = [['a', 4], ['b', 6], ['c', 5], ['d', 1]].map(([name, bytes]) => allowance.during(Number(bytes), never, work(String(name))))
  await settled()
  t.strictSame(begun, ['a', 'b'])
  end('a')
  await settled()
  t.strictSame(begun, ['a', 'b'], 'a smaller one does not pass one that came before it')
  end('b')
  await settled()
  t.strictSame(begun, ['a', 'b', 'c', 'd'])
  end('c')
  end('d')
  t.strictSame(await Promise.all(done), ['a', 'b', 'c', 'd'])
})

test('what asks for more than there is goes on alone', async (t) => {
  const allowance = createAllowance(10)
  const { begun, work, end } = works()
  const done = [allowance.during(1, never, work('small')), allowance.during(99, never, work('large')), allowance.during(1, never, work('next'))]
  await settled()
  t.strictSame(begun, ['small'])
  end('small')
  await settled()
  t.strictSame(begun, ['small', 'large'])
  end('large')
  await settled()
  end('next')
  t.strictSame(await Promise.all(done), ['small', 'large', 'next'])
})

test('a failure frees what it held', async (t) => {
  const allowance = createAllowance(1)
  const { work, fail, end } = works()
  const failing = allowance.during(1, never, work('failing'))
  const next = allowance.during(1, never, work('next'))
  await settled()
  fail('failing')
  await t.rejects(failing, { message: 'failing' })
  await settled()
  end('next')
  t.equal(await next, 'next')
})

test('who gives up leaves the line, and holds up nobody', async (t) => {
  const allowance = createAllowance(10)
  const { begun, work, end } = works()
  const leaving = new AbortController()
  const first = allowance.during(5, never, work('first'))
  const left = allowance.during(10, leaving.signal, work('left'))
  const next = allowance.during(5, never, work('next'))
  leaving.abort(new Error('no longer wanted'))
  await t.rejects(left, { message: 'no longer wanted' })
  await settled()
  t.strictSame(begun, ['first', 'next'])
  await t.rejects(allowance.during(1, leaving.signal, work('late')), { message: 'no longer wanted' })
  end('first')
  end('next')
  t.strictSame(await Promise.all([first, next]), ['first', 'next'])
})
