import { createHmac } from 'node:crypto'
import { test } from 'tap'
import { createKeyedHash, remembering } from '../../src/storage/keyed-hash.ts'

test('it is HMAC-SHA-256 under the identity of the volume, in hex', (t) => {
  t.equal(createKeyedHash('volume-1')('owner', 'ada'), createHmac('sha256', 'volume-1').update('owner:ada').digest('hex'))
  t.match(createKeyedHash('volume-1')('path', '/i/a.png'), /^[0-9a-f]{64}$/)
  t.end()
})

test('the same name gives the same hash, and another for another thing or volume', (t) => {
  const hash = createKeyedHash('volume-1')
  const things = ['owner', 'avatar', 'path', 'source', 'content', 'volume'] as const
  t.equal(hash('owner', 'ada'), hash('owner', 'ada'))
  t.equal(new Set([...things.map((thing) => hash(thing, 'ada')), hash('owner', 'bob'), createKeyedHash('volume-2')('owner', 'ada')]).size, things.length + 2)
  t.end()
})

test('names of people may hold what separates thing and name, and none of a thing takes the place of another\'s', (t) => {
  const hash = createKeyedHash('volume-1')
  t.not(hash('owner', 'path:x'), hash('path', 'x'))
  t.not(hash('owner', ''), hash('volume', ''))
  t.end()
})

test('one run computes each hash once, of a bounded number of names', (t) => {
  const hash = createKeyedHash('a volume')
  let computed = 0
  const remembered = remembering((thing, name) => {
    computed++
    return hash(thing, name)
  })
  for (const [thing, name] of [['owner', 'ada'], ['owner', 'bob'], ['path', 'ada'], ['owner', 'ada'], ['path', 'ada']] as const) t.equal(remembered(thing, name), hash(thing, name))
  t.equal(computed, 3)
  for (let index = 0; index < 20_000; index++) remembered('owner', `user${index}`)
  computed = 0
  remembered('owner', 'ada')
  t.equal(computed, 1, 'the oldest are forgotten')
  t.end()
})
