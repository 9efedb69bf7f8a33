import type { IncomingHttpHeaders } from 'node:http'
import t from 'tap'
import { allowsRange, judge, validatorsOf } from '../../src/transfer/conditional.ts'

const etag = '"tag"'
const exact = 'Sat, 21 Nov 2026 10:11:12 GMT'
const before = 'Sat, 21 Nov 2026 10:11:11 GMT'
const after = 'Sat, 21 Nov 2026 10:11:13 GMT'
const validators = { etag, lastModified: Date.UTC(2026, 10, 21, 10, 11, 12) / 1000 }

const asked = (headers: IncomingHttpHeaders) => ({ headers, rawHeaders: Object.entries(headers).flatMap(([name, value]) => [name, String(value)]) })

t.test('Last-Modified is the whole second of the change', async (t) => {
  const now = new Date('2026-11-21T12:00:00Z')
  t.equal(validatorsOf({ sha256: 'ab', lastModified: new Date('2026-11-21T10:11:12.999Z') }, now).lastModified, validators.lastModified)
})

t.test('Last-Modified is never later than now', async (t) => {
  const now = new Date('2026-11-21T10:11:12.500Z')
  t.equal(validatorsOf({ sha256: 'ab', lastModified: new Date('2027-01-01T00:00:00Z') }, now).lastModified, validators.lastModified)
})

t.test('the preconditions are judged in the order of the RFC', async (t) => {
  const cases: [headers: IncomingHttpHeaders, outcome: ReturnType<typeof judge>][] = [
    [{}, 'proceed'],
    // 1: If-Match
    [{ 'if-match': etag }, 'proceed'],
    [{ 'if-match': '*' }, 'proceed'],
    [{ 'if-match': `"x", ${etag}` }, 'proceed'],
    [{ 'if-match': '"x"' }, 'failed'],
    [{ 'if-match': `W/${etag}` }, 'failed'],
    [{ 'if-match': 'tag' }, 'failed'],
    [{ 'if-match': '' }, 'failed'],
    // 2: If-Unmodified-Since, only without If-Match
    [{ 'if-unmodified-since': exact }, 'proceed'],
    [{ 'if-unmodified-since': after }, 'proceed'],
    [{ 'if-unmodified-since': before }, 'failed'],
    [{ 'if-unmodified-since': 'yesterday' }, 'proceed'],
    [{ 'if-match': etag, 'if-unmodified-since': before }, 'proceed'],
    [{ 'if-match': '"x"', 'if-unmodified-since': after }, 'failed'],
    // 3: If-None-Match
    [{ 'if-none-match': etag }, 'unmodified'],
    [{ 'if-none-match': `W/${etag}` }, 'unmodified'],
    [{ 'if-none-match': '*' }, 'unmodified'],
    [{ 'if-none-match': `"x", W/"y", ${etag}` }, 'unmodified'],
    [{ 'if-none-match': '"x"' }, 'proceed'],
    [{ 'if-none-match': 'tag' }, 'proceed'],
    [{ 'if-none-match': '' }, 'proceed'],
    [{ 'if-match': '"x"', 'if-none-match': etag }, 'failed'],
    [{ 'if-match': etag, 'if-none-match': etag }, 'unmodified'],
    [{ 'if-unmodified-since': before, 'if-none-match': etag }, 'failed'],
    [{ 'if-unmodified-since': exact, 'if-none-match': etag }, 'unmodified'],
    // 4: If-Modified-Since, only without If-None-Match
    [{ 'if-modified-since': exact }, 'unmodified'],
    [{ 'if-modified-since': after }, 'unmodified'],
    [{ 'if-modified-since': before }, 'proceed'],
    [{ 'if-modified-since': 'yesterday' }, 'proceed'],
    [{ 'if-modified-since': '1' }, 'proceed'],
    [{ 'if-none-match': '"x"', 'if-modified-since': after }, 'proceed'],
    [{ 'if-none-match': 'malformed', 'if-modified-since': after }, 'proceed'],
    [{ 'if-none-match': etag, 'if-modified-since': before }, 'unmodified'],
    [{ 'if-match': etag, 'if-modified-since': exact }, 'unmodified'],
    [{ 'if-unmodified-since': before, 'if-modified-since': after }, 'failed'],
  ]
  for (const [headers, outcome] of cases) t.equal(judge(asked(headers), validators), outcome, JSON.stringify(headers))
})

t.test('a date that is sent twice is ignored', async (t) => {
  for (const name of ['If-Modified-Since', 'If-Unmodified-Since']) {
    const field = name === 'If-Modified-Since' ? after : before
    const once = { headers: { [name.toLowerCase()]: field }, rawHeaders: ['Host', name, name, field] }
    const twice = { ...once, rawHeaders: [name, field, name.toUpperCase(), field] }
    t.not(judge(once, validators), 'proceed')
    t.equal(judge(twice, validators), 'proceed')
  }
})

t.test('If-Range takes the strong tag or the exact date, nothing else', async (t) => {
  for (const field of [undefined, etag, exact, 'Saturday, 21-Nov-26 10:11:12 GMT']) t.equal(allowsRange(field, validators), true, field ?? 'absent')
  for (const field of ['', '"x"', 'tag', '*', `W/${etag}`, `${etag}, "x"`, before, after, '2026-11-21T10:11:12Z']) t.equal(allowsRange(field, validators), false, field)
})
