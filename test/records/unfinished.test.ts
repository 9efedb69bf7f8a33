import { test } from 'tap'
import { clientOf, metadata, open } from '../resumable/fixture.ts'

const erasing = ({ app, as }: Awaited<ReturnType<typeof open>>) => async (user: string) =>
  (await app.inject({ method: 'DELETE', url: `/api/users/${user}/uploads`, headers: await as('root', 'uploads:admin') })).statusCode

test('what an erased service set aside of the quota of others is theirs again', async (t) => {
  const gateway = await open(t, { QUOTA_BYTES: '100' })
  const { ada, rows } = gateway
  const chat = await clientOf(gateway, 'chat', 'uploads:service')
  await chat.begin(60, {}, { 'x-owner-id': 'ada' })
  await ada.begin(20)
  t.match((await ada.ask('GET', '/api/usage')).json(), { reservedBytes: 80 })
  t.equal((await ada.create({ 'upload-length': '60' })).statusCode, 413)
  t.equal(await erasing(gateway)('chat'), 200)
  t.match((await ada.ask('GET', '/api/usage')).json(), { reservedBytes: 20, reservedFiles: 1 })
  t.equal((await ada.create({ 'upload-length': '60' })).statusCode, 201)
  t.equal((await rows()).length, 2)
})

test('an erased reader is named in no upload of others any more, under way or finished', async (t) => {
  const gateway = await open(t)
  const { ada, rows } = gateway
  const begin = (readers: string) => ada.begin(5, { filename: 'a.txt', readers, contextType: 'room', contextId: '7' })
  const [underWay, finished] = [await begin('kim,eve,bob'), await begin('eve,kim')]
  const result = (await ada.send(finished, 0, 'hello')).headers['upload-result']
  const only = await ada.begin(5, { readers: 'eve' })
  const spaced = String((await ada.create({ 'upload-length': '5', 'upload-metadata': `${metadata({ filename: 'a.txt' })},\t${metadata({ readers: 'eve,kim' })}\t` })).headers.location)
  const others = await ada.begin(5, { filename: 'readers of eve', readers: 'evelyn' })
  const none = await ada.begin(5)
  t.equal(await erasing(gateway)('eve'), 200)

  const said = async (url: string) => (await ada.head(url)).headers['upload-metadata']
  const left = (readers: string) => metadata({ filename: 'a.txt', readers, contextType: 'room', contextId: '7' })
  t.equal(await said(underWay), left('kim,bob'))
  t.equal(await said(finished), left('kim'))
  t.equal(await said(only), undefined)
  t.equal(await said(spaced), metadata({ filename: 'a.txt', readers: 'kim' }))
  t.equal(await said(others), metadata({ filename: 'readers of eve', readers: 'evelyn' }))
  t.equal(await said(none), undefined)
  t.equal((await rows()).length, 6, 'they all go on')
  t.same((await ada.ask('GET', String(result))).json().readers, ['kim'])
  const later = (await ada.send(underWay, 0, 'hello')).headers['upload-result']
  t.same((await ada.ask('GET', String(later))).json().readers, ['kim', 'bob'])
})

test('who is named after the erasure is another user', async (t) => {
  const gateway = await open(t)
  const { ada } = gateway
  t.equal(await erasing(gateway)('eve'), 200)
  const at = await ada.begin(5, { readers: 'eve' })
  t.equal(await erasing(gateway)('bob'), 200)
  t.equal((await ada.head(at)).headers['upload-metadata'], metadata({ readers: 'eve' }))
})
