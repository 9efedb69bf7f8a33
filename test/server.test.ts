import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test, type Test } from 'tap'
import { banner } from '../src/banner.ts'
import { temporaryFolder } from './helper.ts'

const server = fileURLToPath(new URL('../src/server.ts', import.meta.url))

function run (t: Test, cwd: string, env: Record<string, string>) {
  const child = spawn(process.execPath, [server], { cwd, env: { PATH: process.env['PATH'], NODE_OPTIONS: process.env['NODE_OPTIONS'], NODE_V8_COVERAGE: process.env['NODE_V8_COVERAGE'], ...env } })
  t.teardown(() => child.kill('SIGKILL'))
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => { out += chunk })
  child.stderr.on('data', (chunk) => { err += chunk })
  return { child, output: () => ({ out, err }), ended: once(child, 'close') }
}

test('it takes .env, listens, logs JSON when piped, and stops cleanly on SIGTERM', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, '.env'), 'PORT=0\nUPLOADS_DIR=./volume\n')
  const { child, output, ended } = run(t, folder, {})
  let url: string | undefined
  while (url === undefined) {
    await Promise.race([once(child.stdout, 'data'), ended])
    url = /Server listening at (http:[^"]+)/.exec(output().out)?.[1]
    if (child.exitCode !== null) t.bailout(output().err)
  }
  t.equal((await fetch(`${url}/health/live`)).status, 200)
  child.kill('SIGTERM')
  const [code] = await ended
  t.equal(code, 0)
  const lines = output().out.trim().split('\n').map((line) => JSON.parse(line))
  t.match(lines.map(({ msg }) => msg), [/volume is an ordinary folder/, /Server listening/, /Stopping on SIGTERM/, 'Stopped.'])
  t.equal(output().err, '')
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
  const text = banner({ address, config: { uploadsDir: '/volume', hasAccounts: true } })
  t.match(text, `${address}/docs`)
  t.match(text, '/volume')
  t.match(text, /curl .*avatars\/me/)
  t.match(banner({ address, config: { uploadsDir: '/volume', hasAccounts: false } }), 'ACCOUNTS=off')
  t.end()
})
