import { createHash } from 'node:crypto'
import t from 'tap'
import { answered, multipart, multipartHeaders, rawClient, uploadServer, type Part, type Settings } from './fixtures/upload-server.ts'

async function upload (t: Parameters<typeof uploadServer>[0], parts: Part[], settings: Settings = {}) {
  const { url, store } = await uploadServer(t, settings)
  const answer = await fetch(url, { method: 'POST', body: multipart(parts), headers: multipartHeaders })
  return { status: answer.status, json: await answered(answer), states: store.states(), staged: store.files.map(({ bytes }) => bytes) }
}

t.test('each file comes with its name, type, hash, and the named fields before it', async (t) => {
  const { status, json } = await upload(t, [
    { name: 'visibility', content: 'public' },
    { name: 'unknown', content: 'x' },
    { name: 'first', filename: 'C:\\photos\\a\u202e.png', type: 'image/png', content: 'abc' },
    { name: 'visibility', content: 'private' },
    { name: 'second', filename: 'b.txt', content: 'hello' },
    { name: 'unknown', content: 'late' },
  ])
  t.equal(status, 200)
  t.same(json, [
    { size: 3, sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', fieldName: 'first', filename: 'a.png', declaredType: 'image/png', fields: { visibility: 'public' }, head: 'abc' },
    { size: 5, sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824', fieldName: 'second', filename: 'b.txt', declaredType: 'text/plain', fields: { visibility: 'private' }, head: 'hello' },
  ])
})

t.test('a named field that comes after the last file is refused: it was meant for one', async (t) => {
  const { status, json, states } = await upload(t, [{ name: 'first', filename: 'a.txt', content: 'abc' }, { name: 'visibility', content: 'public' }])
  t.equal(status, 400)
  t.match(json, { code: 'UPLOAD_FIELD_INVALID', message: /"visibility" comes after the last file/ })
  t.same(states, ['discarded'])
})

t.test('what FormData sends is understood', async (t) => {
  const { app, store } = await uploadServer(t, { maxBytes: 200_000 })
  const form = new FormData()
  form.append('visibility', 'публичный')
  form.append('avatar', new File([Buffer.alloc(150_000, 'я')], 'моё "фото".png', { type: 'image/png' }))
  const answer = await app.inject({ method: 'POST', url: '/upload', payload: form })
  t.equal(answer.statusCode, 200)
  t.match(answer.json(), [{ size: 150_000, fieldName: 'avatar', declaredType: 'image/png', fields: { visibility: 'публичный' } }])
  t.same(store.states(), ['finished'])
})

t.test('a part of type octet-stream is a file even without a name', async (t) => {
  const { json } = await upload(t, [{ type: 'application/octet-stream', content: 'abc' }])
  t.match(json, [{ size: 3, declaredType: 'application/octet-stream' }])
  t.equal(json[0]?.filename, undefined)
})

t.test('a file may be empty', async (t) => {
  const { json, states } = await upload(t, [{ filename: 'empty.txt', content: '' }])
  t.match(json, [{ size: 0, filename: 'empty.txt', head: '' }])
  t.same(states, ['finished'])
})

t.test('inputs in which no file was chosen are no files, wherever they stand', async (t) => {
  const unchosen = { filename: '', type: 'application/octet-stream', content: '' }
  const chosen = { filename: 'a', content: 'abc' }
  const some = await upload(t, [unchosen, chosen, unchosen, chosen, unchosen])
  t.equal(some.status, 200)
  t.same(some.states, ['finished', 'finished'])
  const none = await upload(t, [unchosen, { name: 'visibility', content: 'public' }])
  t.same([none.status, none.json.code, none.states], [400, 'UPLOAD_MISSING', []])
})

t.test('a file with content and an empty name was chosen', async (t) => {
  const { json } = await upload(t, [{ filename: '', content: 'abc' }])
  t.match(json, [{ size: 3 }])
  t.equal(json[0]?.filename, undefined)
})

t.test('more files than allowed are refused, and none is kept', async (t) => {
  for (const third of [{ filename: 'c', content: 'c' }, { filename: 'c', content: '' }, { filename: '', content: 'c' }]) {
    const { status, json, states } = await upload(t, [{ filename: 'a', content: 'a' }, { filename: 'b', content: 'b' }, third])
    t.same([status, json.code], [413, 'UPLOAD_FILES_EXCEEDED'])
    t.same(states, ['discarded', 'discarded'])
  }
})

t.test('where further files are ignored they are read and not staged', async (t) => {
  const { status, json, staged } = await upload(t, [{ filename: 'a', content: 'a' }, { filename: 'b', content: 'bb'.repeat(400) }, { filename: 'c', content: '' }], { maxFiles: 1, extraFiles: 'ignored' })
  t.equal(status, 200)
  t.match(json, [{ filename: 'a' }])
  t.same(staged, [1])
})

t.test('an ignored file is held to the limit like any other', async (t) => {
  const { status, json, states } = await upload(t, [{ filename: 'a', content: 'a' }, { filename: 'b', content: 'b'.repeat(1001) }], { maxFiles: 1, extraFiles: 'ignored' })
  t.same([status, json.code], [413, 'UPLOAD_TOO_LARGE'])
  t.same(states, ['discarded'])
})

t.test('the limit is that of each file: so much passes, and not a byte more', async (t) => {
  const limit = { maxBytes: 100_000 }
  const a = { filename: 'a', content: Buffer.alloc(100_000) }
  t.match(await upload(t, [a, a], limit), { status: 200, staged: [100_000, 100_000] })
  const over = await upload(t, [a, { filename: 'b', content: Buffer.alloc(100_001) }], limit)
  t.same([over.status, over.json.code, over.states], [413, 'UPLOAD_TOO_LARGE', ['discarded', 'discarded']])
})

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const stating = (hex: string): Part => ({ name: 'sha256', content: hex })
const a: Part = { filename: 'a', content: 'a' }
const b: Part = { filename: 'b', content: 'b' }

t.test('a field sha256 holds for the next file alone, and is none of the fields that are handed over', async (t) => {
  const { status, json, states } = await upload(t, [stating(sha256('a')), a, { name: 'visibility', content: 'public' }, b], { fieldNames: ['visibility', 'sha256'] })
  t.equal(status, 200)
  t.match(json, [{ filename: 'a' }, { filename: 'b' }])
  t.same(json.map(({ fields }) => fields), [{}, { visibility: 'public' }])
  t.same(states, ['finished', 'finished'])
  t.match(await upload(t, [a, { name: 'visibility', content: 'public' }, stating(sha256('b').toUpperCase()), b]), { status: 200 })
  t.match(await upload(t, [stating(sha256('a')), { filename: '', content: '' }, a]), { status: 200 }, 'an input in which nothing was chosen is no file')
  t.match(await upload(t, [stating(sha256('')), { filename: 'empty', content: '' }]), { status: 200 })
})

t.test('a file that is not what its sha256 says is refused, and with it all before it', async (t) => {
  const second = await upload(t, [a, stating(sha256('a')), b])
  t.same([second.status, second.json.code, second.states], [422, 'UPLOAD_DIGEST_MISMATCH', ['discarded', 'discarded']])
  t.match(second.json.message, /the field "sha256" of file 2 \(sha-256\) differs/)
  const first = await upload(t, [stating(sha256('b')), a, b])
  t.same([first.status, first.json.code, first.states], [422, 'UPLOAD_DIGEST_MISMATCH', ['discarded']])
  const empty = await upload(t, [stating(sha256('a')), { filename: 'empty', content: '' }])
  t.same([empty.status, empty.json.code], [422, 'UPLOAD_DIGEST_MISMATCH'])
})

t.test('a sha256 that cannot be read, is one of two, or comes too late is refused', async (t) => {
  for (const text of ['', 'abc', `${sha256('a')}0`, Buffer.from(sha256('a'), 'hex').toString('base64')]) {
    const { status, json, states } = await upload(t, [a, stating(text), b])
    t.same([status, json.code, states], [400, 'DIGEST_INVALID', ['discarded']], text)
  }
  const twice = await upload(t, [stating(sha256('a')), stating(sha256('b')), a])
  t.same([twice.status, twice.json.code], [400, 'DIGEST_INVALID'])
  const late = await upload(t, [a, stating(sha256('a'))])
  t.same([late.status, late.json.code, late.states], [400, 'UPLOAD_FIELD_INVALID', ['discarded']])
  t.match(late.json.message, /"sha256" comes after the last file/)
  t.match(await upload(t, [stating(sha256('a'))]), { status: 400, json: { code: 'UPLOAD_MISSING' } })
})

t.test('what is said of a file that is ignored is ignored with it', async (t) => {
  const one = { maxFiles: 1, extraFiles: 'ignored' } as const
  t.match(await upload(t, [stating(sha256('a')), a, stating(sha256('x')), b, stating(sha256('c')), { filename: 'c', content: 'c' }], one), { status: 200, json: [{ filename: 'a' }] })
  t.match(await upload(t, [a, stating(sha256('x')), b, stating(sha256('c'))], one), { status: 400, json: { code: 'UPLOAD_FIELD_INVALID' } })
  t.match(await upload(t, [stating(sha256('x')), a, b], one), { status: 422 })
})

t.test('what the parser keeps for the next chunk stays its own: bytes that look like the boundary are those that were sent', async (t) => {
  const { port } = await uploadServer(t)
  const { socket, closed } = rawClient(t, port)
  const pieces = ['one\r\n--', '\r\n--', 'two\r', 'three\r\n--', '\r\n--', 'four']
  const head = '--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n'
  const tail = '\r\n--b--\r\n'
  const content = pieces.join('')
  socket.setNoDelay().write(`POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${head.length + content.length + tail.length}\r\n\r\n${head}`)
  for (const piece of [...pieces, tail]) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    socket.write(piece)
  }
  const answer = await closed
  t.match(answer, /^HTTP\/1\.1 200 /)
  t.match(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))), [{ head: content, size: content.length }])
})
