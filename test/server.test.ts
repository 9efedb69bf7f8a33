import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { test, type Test } from 'tap'
import { banner } from '../src/banner.ts'
import { temporaryFolder } from './helper.ts'

const top = fileURLToPath(new URL('..', import.meta.url))
const server = join(top, 'src/server.ts')

function run (t: Test, cwd: string, env: Record<string, string>, [command, ...words]: [string, ...string[]] = [process.execPath, server]) {
  const child = spawn(command, words, { cwd, env: { PATH: process.env['PATH'], NODE_OPTIONS: process.env['NODE_OPTIONS'], NODE_V8_COVERAGE: process.env['NODE_V8_COVERAGE'], ...env } })
  t.teardown(() => child.kill('SIGKILL'))
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => { out += chunk })
  child.stderr.on('data', (chunk) => { err += chunk })
  return { child, output: () => ({ out, err }), ended: once(child, 'close') }
}

type Run = ReturnType<typeof run>

async function listening ({ child, output, ended }: Run): Promise<string> {
  for (;;) {
    const url = /Server listening at (http:[^"]+)/.exec(output().out)?.[1]
    if (url !== undefined) return url
    if (child.exitCode !== null) throw new Error(output().err)
    await Promise.race([once(child.stdout, 'data'), ended])
  }
}

/** An upload that is under way until it is finished. Connections that are kept alive would be waited for. */
async function uploading (url: string) {
  const post = (path: string, headers: Record<string, string>) => request(url + path, { method: 'POST', agent: false, headers })
  const account = post('/api/auth/register', { 'Content-Type': 'application/json' }).end('{"email":"ada@example.com","password":"correct horse battery"}')
  const [registered] = await once(account, 'response')
  const { token } = await json(registered) as { token: string }
  const sending = post('/api/attachments', { Authorization: `Bearer ${token}`, 'Content-Type': 'text/plain', 'Content-Disposition': 'attachment; filename=a.txt' })
  sending.write('first')
  const answer = once(sending, 'response').then(([{ statusCode }]) => statusCode)
  await setTimeout(300)
  return { answer, finish: () => { sending.end() } }
}

const lines = ({ output }: Run): Array<{ msg: string }> => output().out.trim().split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))

const messages = (one: Run): string[] => lines(one).map(({ msg }) => msg)

test('it takes .env, listens, logs JSON when piped, and stops cleanly on SIGTERM', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, '.env'), 'PORT=0\nUPLOADS_DIR=./volume\n')
  const one = run(t, folder, {})
  const { child, output, ended } = one
  const url = await listening(one)
  t.equal((await fetch(`${url}/health/live`)).status, 200)
  child.kill('SIGTERM')
  const [code] = await ended
  t.equal(code, 0)
  t.match(messages(one), [/volume is an ordinary folder/, 'Uploads and database are open.', /Server listening/, /Stopping on SIGTERM/, 'Stopped.'])
  t.equal(output().err, '')
})

test('a start says in the log where uploads and database are, and whether anything may change', async (t) => {
  const folder = await temporaryFolder(t)
  for (const isReadOnly of [false, true]) {
    const one = run(t, folder, { PORT: '0', UPLOADS_DIR: join(folder, 'volume'), DATABASE_URL: `file:${join(folder, 'records.sqlite')}`, READ_ONLY: String(isReadOnly) })
    await listening(one)
    const line = lines(one).find(({ msg }) => msg === 'Uploads and database are open.')
    t.match(line, { level: 30, home: join(folder, 'volume'), database: join(folder, 'records.sqlite'), isReadOnly })
    one.child.kill('SIGTERM')
    await one.ended
  }
})

test('a signal that npm hands on as well cuts no upload off; one that comes later does', async (t) => {
  for (const isLater of [false, true]) {
    const one = run(t, await temporaryFolder(t), { PORT: '0' })
    const { answer, finish } = await uploading(await listening(one))
    one.child.kill('SIGINT')
    await setTimeout(isLater ? 1200 : 50)
    one.child.kill('SIGINT')
    if (isLater) {
      await t.rejects(answer)
      t.strictSame(await one.ended, [1, null])
    } else {
      finish()
      t.equal(await answer, 201)
      t.strictSame(await one.ended, [0, null])
      t.equal(messages(one).at(-1), 'Stopped.')
    }
  }
})

test('a signal to npm start stops the gateway, and uploads in flight are finished', { skip: process.platform === 'win32' && 'there are no signals' }, async (t) => {
  const one = run(t, top, { PORT: '0', UPLOADS_DIR: await temporaryFolder(t) }, ['npm', 'start'])
  const { answer, finish } = await uploading(await listening(one))
  one.child.kill('SIGTERM')
  await setTimeout(300)
  finish()
  t.equal(await answer, 201)
  t.strictSame(await one.ended, [0, null])
  t.equal(messages(one).at(-1), 'Stopped.')
})

test('a signal that comes as soon as it listens is a stop like any other', { skip: process.platform === 'win32' && 'there are no signals' }, async (t) => {
  const impatient = "import net from 'node:net'; const { listen } = net.Server.prototype; net.Server.prototype.listen = function (...given) { this.once('listening', () => process.kill(process.pid, 'SIGTERM')); return listen.apply(this, given) }"
  const one = run(t, await temporaryFolder(t), { PORT: '0', NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import=data:text/javascript,${encodeURIComponent(impatient)}` })
  t.strictSame(await one.ended, [0, null])
  t.match(messages(one).slice(-2), [/Stopping on SIGTERM/, 'Stopped.'])
  t.equal(one.output().err, '')
})

test('a start that is refused is one sentence and exit code 1', async (t) => {
  const folder = await temporaryFolder(t)
  const wrong = run(t, folder, { PORT: 'x' })
  t.strictSame(await wrong.ended, [1, null])
  t.strictSame(wrong.output(), { out: '', err: 'A setting is not valid: PORT must be a whole number. .env.example explains each.\n' })

  const other = createServer().listen(0, '127.0.0.1')
  t.teardown(() => other.close())
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const busy = run(t, folder, { PORT: String(port), LOG_LEVEL: 'silent' })
  t.strictSame(await busy.ended, [1, null])
  t.equal(busy.output().err, `PORT ${port} on HOST 127.0.0.1 is taken by another process: stop that one, or set PORT to another port.\n`)

  const elsewhere = run(t, folder, { HOST: '192.0.2.1', PORT: '0', LOG_LEVEL: 'silent' })
  t.strictSame(await elsewhere.ended, [1, null])
  t.match(elsewhere.output().err, /^The gateway cannot listen on PORT 0 of HOST 192\.0\.2\.1: .*EADDRNOTAVAIL.*\n$/)
})

test('the banner says where to go and what to try', (t) => {
  const address = 'http://127.0.0.1:3001'
  const running = { address, home: 's3://bucket/', database: '/db/gateway.sqlite', hasAccounts: true, isReadOnly: false }
  const text = banner(running)
  t.match(text, `${address}/docs`)
  t.match(text, /Uploads +s3:\/\/bucket\/\n +Records +\/db\/gateway\.sqlite\n/)
  t.match(text, /curl .*avatars\/me/)
  t.match(banner({ ...running, hasAccounts: false }), 'ACCOUNTS=off')
  const reading = banner({ ...running, isReadOnly: true })
  t.match(reading, 'refuses every change (READ_ONLY=true)')
  t.notMatch(reading, 'curl', 'an upload would be refused')
  t.end()
})
