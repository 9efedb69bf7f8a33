// Gateways that agree on one leader and hear each other through a real PostgreSQL, whatever becomes of it and of their connections.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { test, type Test } from 'tap'
import type { Coordination } from '../../src/records/coordination.ts'
import { openPostgresCoordination } from '../../src/records/postgres/coordination.ts'
import { lossyWayTo } from './fixtures/lossy-way.ts'
import { freePort, postgres } from './postgres.ts'
import { until } from './machine.ts'

async function member (t: Test, url: string, clock?: () => number) {
  const heard: string[] = []
  const said: string[] = []
  const witness = { info: (message: string) => { said.push(message) }, warn: (message: string, error?: unknown) => { said.push(`${message} ${String(error)}`) } }
  const coordination = await openPostgresCoordination({ url, witness, ...(clock && { monotonicMs: clock }) })
  t.teardown(() => coordination.close())
  coordination.hear('told', (text, from) => { heard.push(`told ${text} ${from === coordination.id ? 'by itself' : 'by another'}`) })
  coordination.hear('reconnected', () => { heard.push('reconnected') })
  return { coordination, heard, said }
}

const leading = (members: ReadonlyArray<{ coordination: Coordination }>) => members.filter(({ coordination }) => coordination.leads())

test('one of three leads; when it stops another does within seconds, and hears that it does', async (t) => {
  const { url } = await postgres(t)
  const members = [await member(t, url), await member(t, url), await member(t, url)] as const
  const [first, second, third] = members
  t.strictSame(members.map(({ coordination }) => coordination.leads()), [true, false, false], 'who comes first leads from the start')
  t.ok(second.coordination.term.aborted)
  const { term } = first.coordination
  t.notOk(term.aborted)
  const began: string[] = []
  second.coordination.onLead(() => began.push('second'))
  third.coordination.onLead(() => began.push('third'))
  const at = Date.now()
  await first.coordination.stepDown()
  t.ok(term.aborted)
  t.notOk(first.coordination.leads())
  await until('another leads', () => leading(members).length === 1)
  t.ok(Date.now() - at < 4000)
  t.equal(began.length, 1)
  first.coordination.tell('told', 'still')
  await until('who has stepped down is heard', () => second.heard.includes('told still by another') && third.heard.includes('told still by another'))
  t.notOk(first.coordination.leads(), 'and does not come back')
})

test('what is told is heard once by each, also by who tells it; several of the same at once may be one', async (t) => {
  const { url } = await postgres(t)
  const [first, second] = [await member(t, url), await member(t, url)]
  for (const text of ['a', 'b', 'b', 'c']) first.coordination.tell('told', text)
  first.coordination.tell('told', 'ü'.repeat(3500))
  t.throws(() => first.coordination.tell('told', 'ü'.repeat(3501)), RangeError)
  await until('the last is heard', () => second.heard.some((one) => one.startsWith('told ü')))
  t.strictSame(first.heard.slice(0, 4), ['a', 'b', 'b', 'c'].map((text) => `told ${text} by itself`))
  t.strictSame(second.heard.slice(0, 3), ['a', 'b', 'c'].map((text) => `told ${text} by another`))
  second.coordination.tell('told', 'back')
  await until('the other way too', () => first.heard.includes('told back by another'))
  t.equal(first.heard.length, 6)
  // Each in the very moment in which the one before was sent.
  for (let count = 0; count < 300; count += 1) {
    first.coordination.tell('told', `number ${count}`)
    if (count % 7 === 0) await until('the last is heard', () => second.heard.includes(`told number ${count} by another`))
    else for (let turn = 0; turn < count % 5; turn += 1) await Promise.resolve()
  }
  await until('each is heard', () => second.heard.filter((one) => one.startsWith('told number')).length === 300)
})

test('when PostgreSQL is killed nobody leads any more; when it is back one does within 10 s, and all hear each other again', async (t) => {
  const server = await postgres(t)
  const members = [await member(t, server.url), await member(t, server.url), await member(t, server.url)] as const
  const [first, second, third] = members
  const { term } = first.coordination
  await server.kill()
  await until('who led knows it', () => term.aborted && leading(members).length === 0, 5000)
  first.coordination.tell('told', 'into the void')
  await server.start()
  const at = Date.now()
  await until('one leads', () => leading(members).length === 1, 10_000)
  await until('all have heard that they missed something', () => members.every(({ heard }) => heard.includes('reconnected')), 10_000)
  t.comment(`led again after ${Date.now() - at} ms`)
  second.coordination.tell('told', 'again')
  await until('they hear each other', () => first.heard.includes('told again by another') && third.heard.includes('told again by another'))
  t.equal(members.filter(({ said }) => said.some((one) => one.includes('is lost'))).length, 3)
  t.equal(members.filter(({ said }) => said.some((one) => one.includes('is there again'))).length, 3)
})

test('who is cut off from it ends its lead at once, and another begins', async (t) => {
  const { url, client } = await postgres(t)
  const members = [await member(t, url), await member(t, url)] as const
  const [first, second] = members
  await client.query("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
  await until('it knows', () => !first.coordination.leads(), 2000)
  await until('one leads', () => leading(members).length === 1, 5000)
  await until('who was cut off hears again', () => first.heard.includes('reconnected'))
  t.notOk(second.heard.includes('reconnected'))
})

test('who has not proved for a while that it is there does not take itself for the leader, before others do', async (t) => {
  const { url } = await postgres(t)
  let ms = 0
  const { coordination } = await member(t, url, () => ms)
  t.equal(coordination.leads(), true)
  ms += 4999
  t.equal(coordination.leads(), true)
  ms += 1
  t.equal(coordination.leads(), false)
  t.ok(coordination.term.aborted)
  await until('it has proved it', () => coordination.leads(), 5000)
})

test('where PostgreSQL is not there yet, it is waited for in the background; a stop waits for nothing', async (t) => {
  const port = await freePort()
  const { coordination, said } = await member(t, `postgres://postgres@127.0.0.1:${port}/postgres`)
  t.notOk(coordination.leads())
  t.match(said, [/cannot be reached/])
  coordination.tell('told', 'nobody')
  await coordination.close()
  t.equal(said.length, 1)
})

test('a leader to whom nothing comes through any more is succeeded within 10 s, and at no moment two lead', async (t) => {
  const { url } = await postgres(t)
  const way = await lossyWayTo(t, Number(new URL(url).port))
  const first = await member(t, url.replace(/:\d+\//, `:${way.port}/`))
  const second = await member(t, url)
  t.strictSame([first, second].map(({ coordination }) => coordination.leads()), [true, false])
  let both = 0
  const watching = setInterval(() => { if (first.coordination.leads() && second.coordination.leads()) both += 1 }, 5)
  t.teardown(() => clearInterval(watching))
  const { term } = first.coordination
  way.swallowAll()
  const at = Date.now()
  await until('it knows that it does not lead', () => !first.coordination.leads(), 6000)
  const knewAfterMs = Date.now() - at
  await until('another leads', () => second.coordination.leads(), 10_000)
  t.comment(`it knew after ${knewAfterMs} ms; another led after ${Date.now() - at} ms`)
  t.ok(Date.now() - at < 10_000)
  t.equal(both, 0)
  await until('what it is at hears of it', () => term.aborted, 2500)
})

test('two deployments in two schemas of one database have a leader each, and do not hear each other', async (t) => {
  const { url } = await postgres(t)
  const [one, other, third] = [await member(t, `${url}?schema=one`), await member(t, `${url}?schema=other`), await member(t, `${url}?schema=one`)]
  t.strictSame([one, other, third].map(({ coordination }) => coordination.leads()), [true, true, false])
  one.coordination.tell('told', 'something')
  await until('the third hears it', () => third.heard.length === 1)
  t.strictSame(other.heard, [])
})

/** A way to PostgreSQL on which answers can be kept back, to come all at once with whatever came after them, in one piece. */
async function late (t: Test, url: string) {
  const target = new URL(url)
  const port = Number(target.port)
  const sockets = new Set<Socket>()
  let kept: Buffer[] | undefined
  let near: Socket | undefined
  let heardAtMs = 0
  const server = createServer((socket) => {
    const far = connect(port, target.hostname)
    near = socket.setNoDelay(true)
    for (const one of [socket, far]) {
      sockets.add(one)
      one.on('error', () => {})
    }
    socket.pipe(far)
    far.on('data', (bytes) => {
      heardAtMs = performance.now()
      kept === undefined ? socket.write(bytes) : kept.push(bytes)
    })
    far.on('end', () => { if (kept === undefined) socket.end() })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  target.port = String((server.address() as AddressInfo).port)
  return {
    url: target.href,
    keepBack () { kept = [] },
    isSilent: () => performance.now() - heardAtMs > 500,
    isKeeping: () => kept?.length !== 0,
    letGo () {
      const bytes = Buffer.concat(kept ?? [])
      kept = undefined
      near?.end(bytes)
    },
  }
}

test('who is told of the lock together with the end of the connection does not lead, nor afterwards while another does', async (t) => {
  const { url, client } = await postgres(t)
  const way = await late(t, url)
  const first = await member(t, url)
  const second = await member(t, way.url)
  t.strictSame([first, second].map(({ coordination }) => coordination.leads()), [true, false])
  // An answer under way is a refusal: kept back, it would be the last that is asked for.
  await until('it has its answer, and asks again in a while', way.isSilent)
  way.keepBack()
  await first.coordination.stepDown()
  const holder = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
  await until('the lock is taken', async () => (await client.query(holder)).rows.length === 1, 5000)
  await until('it would be told so', () => way.isKeeping())
  await client.query(`SELECT pg_terminate_backend(pid) FROM (${holder}) AS "holding"`)
  const third = await member(t, url)
  t.ok(third.coordination.leads(), 'the lock went with the connection')
  way.letGo()
  await until('it is connected again', () => second.heard.includes('reconnected'), 5000)
  second.coordination.tell('told', 'after its next question for the lock')
  await until('it has asked again', () => third.heard.length === 1)
  t.notOk(second.coordination.leads())
  t.notMatch(second.said.join('\n'), /This gateway leads/)
  t.ok(third.coordination.leads())
})
