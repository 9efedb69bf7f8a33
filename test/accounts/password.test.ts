import { hash, parseOptions } from '@node-rs/argon2'
import t from 'tap'
import { createPasswords } from '../../src/accounts/password.ts'

const { hash: hashed, matches } = createPasswords()

t.test('a password is kept as argon2id with its own salt', async (t) => {
  const [first, second] = await Promise.all([hashed('correct horse'), hashed('correct horse')])
  t.match(first, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  t.not(first, second)
  t.equal(parseOptions(first).saltLen, 16)
})

t.test('only the password matches its hash', async (t) => {
  const kept = await hashed('correct horse')
  t.equal(await matches('correct horse', kept), true)
  for (const other of ['Correct horse', 'correct horse ', '', 'correct horse\0']) t.equal(await matches(other, kept), false, JSON.stringify(other))
})

t.test('a password typed on another system matches', async (t) => {
  t.equal(await matches('caf\u00e9-noir', await hashed('cafe\u0301-noir')), true)
})

t.test('hashes made with other parameters still match', async (t) => {
  t.equal(await matches('correct horse', await hash('correct horse', { memoryCost: 8192, timeCost: 3 })), true)
})

t.test('without a hash nothing matches, and finding that out takes as long', async (t) => {
  const kept = await hashed('correct horse')
  const fastest = async (passwordHash: string | undefined) => {
    const times: number[] = []
    for (let round = 0; round < 10; round++) {
      const begin = performance.now()
      t.equal(await matches('wrong horse', passwordHash), false)
      times.push(performance.now() - begin)
    }
    return Math.min(...times)
  }
  const [known, unknown] = [await fastest(kept), await fastest(undefined)]
  t.ok(unknown > known / 2 && unknown < known * 2, `${known} and ${unknown} ms`)
})

t.test('a flood waits in a line of bounded length, and then is refused', async (t) => {
  const { hash: hashed } = createPasswords({ maxRunning: 1, maxWaiting: 2 })
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => hashed('correct horse')))
  t.same(results.map(({ status }) => status), ['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'])
  t.match(results[4], { reason: { code: 'SERVICE_OVERLOADED', statusCode: 503, headers: { 'Retry-After': '1' } } })
  t.match(await hashed('correct horse'), /^\$argon2id/, 'the line is free again')
})

t.test('a failure gives its turn to the next', async (t) => {
  const { matches } = createPasswords({ maxRunning: 1, maxWaiting: 2 })
  const results = await Promise.allSettled([matches('x', 'no hash'), matches('x', 'no hash'), matches('x', undefined)])
  t.same(results.map(({ status }) => status), ['rejected', 'rejected', 'fulfilled'])
  t.equal(await matches('x', undefined), false)
})
