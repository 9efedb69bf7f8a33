import t from 'tap'
import { answered, multipart, multipartHeaders, uploadServer, type Part, type Settings } from './fixtures/upload-server.ts'

type Test = Parameters<typeof uploadServer>[0]

async function post (t: Test, body: Buffer, headers: Record<string, string> = multipartHeaders, settings: Settings = {}) {
  const { url, store } = await uploadServer(t, settings)
  const answer = await fetch(url, { method: 'POST', body, headers })
  const { code, message } = await answered(answer)
  return { status: answer.status, code, message, kept: store.states().filter((state) => state !== 'discarded').length }
}

const file: Part = { filename: 'a', content: 'abc' }
const malformed = { status: 400, code: 'UPLOAD_MALFORMED', kept: 0 }
const fieldInvalid = { status: 400, code: 'UPLOAD_FIELD_INVALID', kept: 0 }

t.test('a body that is cut off is malformed', async (t) => {
  const whole = multipart([{ name: 'visibility', content: 'public' }, file])
  for (let length = 1; length < whole.length - 4; length++) {
    t.match(await post(t, whole.subarray(0, length)), malformed, `after ${length} bytes`)
  }
})

t.test('a missing, empty or over-long boundary is malformed', async (t) => {
  for (const parameters of ['', '; boundary=', '; boundary=""', `; boundary=${'b'.repeat(253)}`, `; boundary=${'b'.repeat(4000)}`]) {
    t.match(await post(t, multipart([file]), { 'content-type': `multipart/form-data${parameters}` }), malformed, parameters.slice(0, 20))
  }
})

t.test('a body that is no multipart, or of another boundary, is malformed', async (t) => {
  t.match(await post(t, Buffer.from('hello')), malformed)
  t.match(await post(t, Buffer.alloc(60_000)), malformed)
  t.match(await post(t, multipart([file]), { 'content-type': 'multipart/form-data; boundary=c' }), malformed)
})

t.test('a part without a name is malformed', async (t) => {
  const body = Buffer.from('--b\r\nContent-Disposition: form-data; filename="a"\r\n\r\nabc\r\n--b--\r\n')
  t.match(await post(t, body), malformed)
})

t.test('names that would reach into prototypes are refused', async (t) => {
  for (const name of ['__proto__', 'constructor', 'toString']) {
    t.match(await post(t, multipart([{ name, content: 'x' }, file])), fieldInvalid)
    t.match(await post(t, multipart([{ name, filename: 'a', content: 'x' }])), fieldInvalid)
  }
})

t.test('a field may have 4096 bytes and no more', async (t) => {
  t.match(await post(t, multipart([{ name: 'visibility', content: 'a'.repeat(4096) }, file])), { status: 200 })
  const { message, ...tooLong } = await post(t, multipart([{ name: 'visibility', content: 'a'.repeat(4097) }, file]))
  t.match(tooLong, fieldInvalid)
  t.match(message, /"visibility" is longer than 4096 bytes/)
})

t.test('a field that is declared as JSON must be, and must be text', async (t) => {
  const json = (content: string): Part => ({ name: 'visibility', type: 'application/json', content })
  t.match(await post(t, multipart([json('"public"'), file])), { status: 200 })
  t.match(await post(t, multipart([json('{"public":true}'), file])), fieldInvalid)
  t.match(await post(t, multipart([json('{'), file])), fieldInvalid)
})

t.test('the fields of one list may have 64 KiB together and no more', async (t) => {
  const list = (...lengths: number[]) => multipart([...lengths.map((length) => ({ name: 'readers', content: 'a'.repeat(length) })), file])
  const settings = { fieldNames: ['visibility', 'readers'], listNames: ['readers'] }
  for (const lengths of [[65_536], [32_768, 32_767]]) t.match(await post(t, list(...lengths), multipartHeaders, settings), { status: 200 }, lengths.join())
  for (const lengths of [[65_537], [70_000], [32_768, 32_768]]) {
    const { message, ...tooLong } = await post(t, list(...lengths), multipartHeaders, { ...settings, maxBytes: 100_000 })
    t.match(tooLong, fieldInvalid, lengths.join())
    t.match(message, /"readers" is longer than 65536 bytes/)
  }
})

t.test('there may be 600 fields and no more', async (t) => {
  const fields = (count: number): Part[] => Array.from({ length: count }, (_, index) => ({ name: `field${index}`, content: 'x' }))
  t.match(await post(t, multipart([...fields(600), file])), { status: 200 })
  t.match(await post(t, multipart([...fields(601), file])), fieldInvalid)
  t.match(await post(t, multipart([file, ...fields(601)])), fieldInvalid)
})

t.test('there may be 800 parts and no more', async (t) => {
  const unchosen: Part = { filename: '', content: '' }
  t.match(await post(t, multipart([...Array(799).fill(unchosen), file])), { status: 200 })
  t.match(await post(t, multipart([...Array(800).fill(unchosen), file])), malformed)
  t.match(await post(t, multipart([file, ...Array(800).fill(unchosen)])), malformed)
})

t.test('endless headers of a part end in a refusal', async (t) => {
  const many = Array.from({ length: 7000 }, (_, index) => `X-${index}: y\r\n`).join('')
  t.match(await post(t, Buffer.from(`--b\r\n${many}\r\nabc\r\n--b--\r\n`)), { status: 413, kept: 0 }, 'more than a whole body may be')
  t.match(await post(t, Buffer.from(`--b\r\n${many.slice(0, 20_000)}\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\nabc\r\n--b--\r\n`)), { status: 400, kept: 0 })
})

t.test('bodies damaged at random are answered with 2xx or 4xx, and leave nothing behind', async (t) => {
  const { url, store } = await uploadServer(t, { idleMs: 2_000 })
  const whole = multipart([{ name: 'visibility', content: 'public' }, { filename: 'a.png', type: 'image/png', content: 'abc\r\n--c' }, file])
  const random = generator(20_261_121)
  const statuses = new Set<number>()
  for (let round = 0; round < 400; round++) {
    const body = damage(whole, random)
    const answer = await fetch(url, { method: 'POST', body, headers: multipartHeaders })
    const { length } = await answered(answer)
    statuses.add(answer.status)
    const kept = store.files.splice(0).filter(({ state }) => state !== 'discarded').length
    t.equal(kept, answer.ok ? length : 0, `round ${round}: ${answer.status}`)
  }
  t.same([...statuses].sort(), [200, 400])
})

/** Park and Miller's minimal standard generator: the same damage in each run. */
function generator (seed: number) {
  let state = seed
  return (below: number) => {
    state = state * 48_271 % 2_147_483_647
    return state % below
  }
}

const pieces = ['\r\n', '--b', '--b--', '\r\n--b\r\n', '"', ';', '\0', '\xff', 'Content-Disposition: ', 'filename*=utf-8\'\'%', '\r\n\r\n']

function damage (whole: Buffer, random: (below: number) => number): Buffer {
  let body = whole
  for (let hits = 1 + random(3); hits > 0; hits--) {
    const start = random(body.length)
    const end = Math.min(body.length, start + random(20))
    body = Buffer.concat([body.subarray(0, start), Buffer.from(pieces[random(pieces.length)] ?? '', 'latin1'), body.subarray(end)])
  }
  return body
}
