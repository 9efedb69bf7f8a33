import { createHash } from 'node:crypto'
import t from 'tap'
import { answered, eventually, multipart, multipartHeaders, rawClient, uploadServer } from './fixtures/upload-server.ts'

const base64 = (algorithm: string, bytes: Buffer) => createHash(algorithm).update(bytes).digest('base64')
const sha256 = (bytes: Buffer) => `sha-256=:${base64('sha256', bytes)}:`
const sha512 = (bytes: Buffer) => `sha-512=:${base64('sha512', bytes)}:`

const file = Buffer.from('x'.repeat(900))
const form = multipart([{ name: 'visibility', content: 'public' }, { filename: 'a', content: 'a'.repeat(300) }, { filename: 'b', content: 'b' }])
const other = Buffer.from('other')

async function send (t: Parameters<typeof uploadServer>[0], body: Buffer, headers: Record<string, string>) {
  const { url, store, errors } = await uploadServer(t)
  const answer = await fetch(url, { method: 'POST', body: new Uint8Array(body), headers })
  const { code, message, length } = await answered(answer)
  return { status: answer.status, code, message, files: length, kept: store.states().filter((state) => state !== 'discarded').length, begun: store.files.length, errors }
}

const mismatch = { status: 422, code: 'UPLOAD_DIGEST_MISMATCH', kept: 0 }
const invalid = { status: 400, code: 'DIGEST_INVALID', kept: 0, begun: 0 }

t.test('a body that is the file is held against either digest, by either algorithm', async (t) => {
  for (const name of ['content-digest', 'repr-digest']) {
    for (const right of [sha256(file), sha512(file), `${sha512(file)}, ${sha256(file)}`, 'md5=:AAAA:', `md5=:AAAA:, ${sha256(file)}`]) {
      t.match(await send(t, file, { [name]: right }), { status: 200, files: 1, kept: 1 }, `${name} ${right}`)
    }
    for (const wrong of [sha256(other), sha512(other), `${sha512(file)}, ${sha256(other)}`, `${sha512(other)}, ${sha256(file)}`]) {
      const { message, ...answer } = await send(t, file, { [name]: wrong })
      t.match(answer, { ...mismatch, begun: 1 }, `${name} ${wrong}`)
      t.match(message?.toLowerCase(), `${name} (sha-`)
    }
    t.match(await send(t, file, { [name]: 'sha-256=:AAAA:' }), invalid)
    t.match(await send(t, file, { [name]: sha256(file), [name === 'repr-digest' ? 'content-digest' : 'repr-digest']: sha256(other) }), mismatch, 'both count')
  }
})

t.test('of a form, Content-Digest is of all that is sent, and Repr-Digest would say nothing', async (t) => {
  for (const right of [sha256(form), `${sha512(form)}, ${sha256(form)}`]) t.match(await send(t, form, { ...multipartHeaders, 'content-digest': right }), { status: 200, files: 2, kept: 2 })
  t.match(await send(t, form, { ...multipartHeaders, 'content-digest': sha256(Buffer.from('a'.repeat(300))) }), { ...mismatch, begun: 2 })
  const longer = Buffer.concat([form, Buffer.from('epilogue')])
  t.match(await send(t, longer, { ...multipartHeaders, 'content-digest': sha256(longer) }), { status: 200, kept: 2 }, 'also what follows the last part')
  t.match(await send(t, longer, { ...multipartHeaders, 'content-digest': sha256(form) }), mismatch)
  t.match(await send(t, form, { ...multipartHeaders, 'repr-digest': sha256(form) }), { ...invalid, message: /Content-Digest.*sha256/ })
  t.match(await send(t, Buffer.alloc(0), { 'content-digest': sha256(other) }), { status: 422, code: 'UPLOAD_DIGEST_MISMATCH' }, 'nothing came of what was sent')
})

t.test('a digest that is announced may come behind the body', async (t) => {
  const { port, store, errors } = await uploadServer(t)
  const chunked = (body: Buffer, announced: string, trailers: string, type = 'image/png') =>
    Buffer.concat([
      Buffer.from(`POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n${announced}\r\n${body.length.toString(16)}\r\n`),
      body, Buffer.from(`\r\n0\r\n${trailers}\r\n`),
    ])
  const announced = 'Trailer: Repr-Digest, Content-Digest\r\n'
  for (const [request, status] of [
    [chunked(file, announced, `Repr-Digest: ${sha256(file)}\r\n`), 200],
    [chunked(file, announced, `Content-Digest: ${sha512(file)}\r\n`), 200],
    [chunked(file, announced, ''), 200],
    [chunked(file, '', `Repr-Digest: ${sha256(other)}\r\n`), 200],
    [chunked(file, announced, `Repr-Digest: ${sha256(other)}\r\n`), 422],
    [chunked(file, `${announced}Repr-Digest: ${sha256(other)}\r\n`, `Repr-Digest: ${sha256(file)}\r\n`), 422],
    [chunked(file, announced, `Content-Digest: ${sha256(file)}, ${sha512(other)}\r\n`), 422],
    [chunked(file, announced, 'Content-Digest: x\r\nContent-Digest: sha-256=x\r\n'), 400],
    [chunked(form, announced, `Content-Digest: ${sha256(form)}\r\n`, multipartHeaders['content-type']), 200],
    [chunked(form, announced, `Repr-Digest: ${sha256(form)}\r\n`, multipartHeaders['content-type']), 400],
  ] as const) {
    store.files.length = 0
    const { socket, closed } = rawClient(t, port)
    socket.write(request)
    t.match(await closed, new RegExp(`^HTTP/1.1 ${status} `))
    t.ok(store.files.length > 0 && store.states().every((state) => state === (status === 200 ? 'finished' : 'discarded')), `${store.states()}`)
  }
  t.strictSame(errors.map(({ code }) => code), ['UPLOAD_DIGEST_MISMATCH', 'UPLOAD_DIGEST_MISMATCH', 'UPLOAD_DIGEST_MISMATCH', 'DIGEST_INVALID', 'DIGEST_INVALID'])
})

t.test('a client that leaves is one that left, whatever it stated', async (t) => {
  const { port, store, errors } = await uploadServer(t)
  const { socket } = rawClient(t, port)
  socket.write(`POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 900\r\nRepr-Digest: ${sha256(file)}\r\n\r\nxxx`)
  t.ok(await eventually(() => store.files.length === 1))
  socket.resetAndDestroy()
  t.ok(await eventually(() => errors.length === 1))
  t.match(errors, [{ code: 'UPLOAD_ABORTED' }])
  t.strictSame(store.states(), ['discarded'])
})
