import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { always } from '../../src/basis.ts'
import { createKeptAnswers, type KeptAnswer } from '../../src/transfer/kept-answers.ts'

const asked = (url: string, headers: IncomingMessage['headers'] = {}) => ({ url, headers, rawHeaders: [] as string[], method: 'GET' }) as IncomingMessage

const answer = (route: string): KeptAnswer =>
  ({ basis: always, validators: { etag: '"x"', lastModified: 0 }, size: 1, headers: [], partHeaders: [], unchangedHeaders: [], whole: undefined, part: undefined, route, callerId: undefined })

t.test('an answer is given to who asks with the same fields, and none of them is another or missing', (t) => {
  const kept = createKeptAnswers()
  const names = ['authorization', 'cookie']
  const given = (headers: IncomingMessage['headers']) => kept.find(asked('/a', headers))?.answer.route
  const all = [{}, { authorization: '' }, { cookie: '' }, { authorization: '', cookie: '' }, { authorization: 'x' }, { cookie: 'x' }, { authorization: 'x', cookie: '' }, { authorization: 'x', cookie: 'y' }]
  for (const [index, headers] of all.entries()) {
    t.equal(given(headers), undefined, JSON.stringify(headers))
    kept.keep(asked('/a', headers), names, () => answer(String(index)))
  }
  for (const [index, headers] of all.entries()) t.equal(given(headers), String(index))
  kept.drop(asked('/a', { cookie: 'x' }))
  t.equal(given({ cookie: 'x' }), undefined)
  kept.drop(asked('/b'))
  t.equal(given({ authorization: 'x' }), '4')
  t.end()
})

t.test('once an answer depends on other fields, those from before are given to nobody', (t) => {
  const kept = createKeptAnswers()
  kept.keep(asked('/a', { origin: 'x' }), ['origin'], () => answer('by origin'))
  kept.keep(asked('/a', { accept: 'y' }), ['accept'], () => answer('by accept'))
  t.equal(kept.find(asked('/a', { origin: 'x', accept: 'x' })), undefined)
  t.equal(kept.find(asked('/a', { accept: 'y' }))?.answer.route, 'by accept')
  t.end()
})

t.test('whoever asks in ever other ways, at the greatest length, is given no more memory', (t) => {
  const kept = createKeptAnswers(200_000)
  const long = 'x'.repeat(8000)
  const ask = (index: number) => [asked(`/${index}?${long}`, { accept: `${index}${long}` }), asked('/a', { accept: `${index}${long}` })]
  for (let index = 0; index < 100; index += 1) for (const request of ask(index)) kept.keep(request, ['accept'], () => answer(''))
  const found = Array.from({ length: 100 }, (_, index) => ask(index)).flat().filter((request) => kept.find(request) !== undefined)
  t.ok(found.length > 5 && found.length < 25, `${found.length} are kept`)
  t.end()
})
