import { createHash } from 'node:crypto'
import t from 'tap'
import { etagOf, matchesStrongly, matchesWeakly, parseTags } from '../../src/transfer/etag.ts'

t.test('the tag is strong, quoted and made of the sha-256 alone', async (t) => {
  const sha256 = createHash('sha256').update('bytes')
  const hex = sha256.copy().digest('hex')
  t.equal(etagOf(hex), `"${sha256.digest('base64url')}"`)
  t.match(etagOf(hex), /^"[A-Za-z0-9_-]{43}"$/)
})

t.test('a field is read as the list it is', async (t) => {
  const cases: [field: string, tags: '*' | string[]][] = [
    ['*', '*'],
    [' * ', '*'],
    ['"a"', ['"a"']],
    ['W/"a"', ['W/"a"']],
    ['"a","b"', ['"a"', '"b"']],
    ['"a" , W/"b",\t"c"', ['"a"', 'W/"b"', '"c"']],
    [', "a",, "b" ,', ['"a"', '"b"']],
    ['"a,b", "c"', ['"a,b"', '"c"']],
    ['""', ['""']],
    ['"\xe9"', ['"\xe9"']],
    ['', []],
    ['a', []],
    ['"a', []],
    ['a"', []],
    ['"a" "b"', []],
    ['"a", b', []],
    ['w/"a"', []],
    ['W/ "a"', []],
    ['*, "a"', []],
    ['"a", *', []],
    ['"a b"', []],
    ['"a"x', []],
  ]
  for (const [field, tags] of cases) t.same(parseTags(field), tags, JSON.stringify(field))
})

t.test('a long hostile field is read in no time', async (t) => {
  const started = performance.now()
  t.same(parseTags(`"a"${' ,'.repeat(8000)}x`), [])
  t.same(parseTags(`${'"a"\t,'.repeat(3000)}x`), [])
  t.ok(performance.now() - started < 500)
})

t.test('a strong comparison never takes a weak tag, a weak one does', async (t) => {
  t.equal(matchesStrongly(['"a"'], '"a"'), true)
  t.equal(matchesStrongly(['W/"a"'], '"a"'), false)
  t.equal(matchesStrongly(['"b"', '"a"'], '"a"'), true)
  t.equal(matchesStrongly('*', '"a"'), true)
  t.equal(matchesStrongly([], '"a"'), false)
  t.equal(matchesWeakly(['W/"a"'], '"a"'), true)
  t.equal(matchesWeakly(['"a"'], '"a"'), true)
  t.equal(matchesWeakly(['"A"'], '"a"'), false)
  t.equal(matchesWeakly('*', '"a"'), true)
  t.equal(matchesWeakly([], '"a"'), false)
})
