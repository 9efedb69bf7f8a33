import t from 'tap'
import { answered, uploadServer } from './fixtures/upload-server.ts'

t.test('the body is the file, whatever its type', async (t) => {
  const { url, store } = await uploadServer(t)
  for (const type of ['image/png', 'application/json', 'text/plain;charset=utf-8', 'application/x-www-form-urlencoded', 'multipart/mixed; boundary=b']) {
    const answer = await fetch(url, { method: 'POST', body: '{"a":1}', headers: { 'content-type': type } })
    t.equal(answer.status, 200)
    t.same(await answer.json(), [{
      size: 7,
      sha256: '015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862',
      fieldName: '',
      declaredType: type,
      fields: {},
      head: '{"a":1}',
    }])
  }
  t.same(store.states(), Array(5).fill('finished'))
})

t.test('a body without a type is a file too', async (t) => {
  const { app } = await uploadServer(t)
  const answer = await app.inject({ method: 'POST', url: '/upload', payload: Buffer.from('abc') })
  t.equal(answer.statusCode, 200)
  t.equal(answer.json()[0].declaredType, undefined)
})

t.test('its name comes from Content-Disposition, cleaned', async (t) => {
  const { app } = await uploadServer(t)
  const nameFor = async (disposition: string) => {
    const answer = await app.inject({ method: 'POST', url: '/upload', payload: 'abc', headers: { 'content-disposition': disposition } })
    t.equal(answer.statusCode, 200)
    return answer.json()[0].filename
  }
  t.equal(await nameFor("attachment; filename*=UTF-8''%D0%BE%D1%82%D1%87%D1%91%D1%82.pdf"), 'отчёт.pdf')
  t.equal(await nameFor("attachment; filename=\"report.pdf\"; filename*=UTF-8''%D0%BE.pdf"), 'о.pdf')
  t.equal(await nameFor('attachment; filename="report \\"1\\".pdf"'), 'report "1".pdf')
  t.equal(await nameFor('attachment; filename="..%2f/../etc/passwd"'), 'passwd')
  t.equal(await nameFor(Buffer.from('attachment; filename="отчёт.pdf"').toString('latin1')), 'отчёт.pdf', 'sent as plain UTF-8')
  t.equal(await nameFor('attachment; filename="\xe9t\xe9.pdf"'), 'été.pdf', 'sent as Latin-1')
  t.equal(await nameFor('attachment'), undefined)
  t.equal(await nameFor('attachment; filename=".."'), undefined)
  t.equal(await nameFor(';;;=;"'), undefined)
})

t.test('an empty body is no file', async (t) => {
  const { app, url, store } = await uploadServer(t)
  for (const answer of [
    await fetch(url, { method: 'POST' }),
    await fetch(url, { method: 'POST', body: new Blob([]).stream(), duplex: 'half' } as RequestInit),
    await fetch(url, { method: 'POST', headers: { 'content-type': 'multipart/form-data; boundary=b' } }),
  ]) {
    t.equal(answer.status, 400)
    t.match(await answer.json(), { code: 'UPLOAD_MISSING' })
  }
  t.equal((await app.inject({ method: 'POST', url: '/upload' })).json().code, 'UPLOAD_MISSING')
  t.same(store.files, [])
})

t.test('a body of exactly the limit passes; one byte more does not, nor when its length was not declared', async (t) => {
  const { url, store } = await uploadServer(t, { maxBytes: 100_000 })
  const post = async (bytes: number, isChunked: boolean) => {
    const blob = new Blob([Buffer.alloc(bytes)])
    const answer = await fetch(url, { method: 'POST', body: isChunked ? blob.stream() : blob, duplex: 'half' } as RequestInit)
    return [answer.status, (await answered(answer)).code]
  }
  t.same(await post(100_000, false), [200, undefined])
  t.same(await post(100_000, true), [200, undefined])
  t.same(await post(100_001, false), [413, 'UPLOAD_TOO_LARGE'])
  t.same(await post(100_001, true), [413, 'UPLOAD_TOO_LARGE'])
  t.same(store.states().sort(), ['discarded', 'finished', 'finished'])
})
