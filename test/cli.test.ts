import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { jwtVerify } from 'jose'
import t from 'tap'

const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url))
const secret = 's'.repeat(32)

function run (args: string[], env: Record<string, string> = { JWT_SECRET: secret }) {
  const { NODE_V8_COVERAGE, PATH } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    encoding: 'utf8', timeout: 20_000, env: { PATH, ...(NODE_V8_COVERAGE !== undefined && { NODE_V8_COVERAGE }), ...env },
  })
  return { status, stdout, stderr }
}

t.test('token prints the token and nothing else', async (t) => {
  const { status, stdout, stderr } = run(['token', '--subject', 'billing', '--scope', 'uploads:service', 'uploads:admin', '--expires', '15m'])
  t.match({ status, stderr }, { status: 0, stderr: '' })
  t.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/)
  const { payload } = await jwtVerify(stdout.trim(), Buffer.from(secret))
  t.match(payload, { sub: 'billing', scope: 'uploads:service uploads:admin' })
  t.equal((payload.exp ?? 0) - (payload.iat ?? 0), 900)
})

t.test('token --json prints the token with what it says', async (t) => {
  const { status, stdout } = run(['token', '--subject', 'ada', '--json'])
  t.equal(status, 0)
  t.match(JSON.parse(stdout), { token: String, subject: 'ada', scopes: { length: 0 }, expiresAt: /^\d{4}-.*Z$/ })
})

t.test('what is refused says why in one sentence and exits with 1', async (t) => {
  const { status, stdout, stderr } = run(['token', '--subject', 'ada'], { ACCOUNTS: 'off', JWT_JWKS_URL: 'https://id.example/jwks', JWT_AUDIENCE: 'x' })
  t.match({ status, stdout }, { status: 1, stdout: '' })
  t.match(stderr, /^This gateway only checks tokens; [^\n]*\n$/)
  t.match(run(['token', '--subject', 'ada'], { JWT_SECRET: 'short' }), { status: 1, stderr: /at least 32 bytes/ })
})

t.test('a command line that is not valid exits with 2', async (t) => {
  t.match(run(['token']), { status: 2, stdout: '', stderr: /--subject/ })
  t.match(run(['token', '--subject', 'ada', '--scope', 'root']), { status: 2, stdout: '', stderr: /uploads:service, uploads:admin/ })
  t.match(run(['token', '--subject', 'ada', '--expires', '1y']), { status: 2, stdout: '', stderr: /30s, 15m, 1h or 7d/ })
  t.match(run(['bogus']), { status: 2, stdout: '', stderr: /bogus/ })
})

t.test('help shows an example and the exit codes', async (t) => {
  const { status, stdout } = run(['token', '--help'])
  t.equal(status, 0)
  t.match(stdout, /curl .*upload-gateway token --subject billing/)
  t.match(stdout, /Exit codes:/)
  t.match(run(['--help']), { status: 0, stdout: /token \[options\]/ })
})

t.test('--version prints the version and nothing else', async (t) => {
  t.match(run(['--version'], {}), { status: 0, stdout: /^\d+\.\d+\.\d+\n$/, stderr: '' })
})

t.test('who has read enough of the help is no failure', async (t) => {
  for (const args of [['trash', 'purge', '--help'], ['--help'], ['--version']]) {
    const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] } })
    child.stdout.destroy()
    const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
    t.same({ said, code }, { said: '', code: 0 }, args.join(' '))
  }
})
