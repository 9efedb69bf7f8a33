import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { secret, temporaryFolder } from '../helper.ts'
import { commandLine } from './fixtures/command-line.ts'

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

test('serve runs the gateway until it is told to stop', async (t) => {
  const folder = await temporaryFolder(t)
  const { NODE_V8_COVERAGE, PATH } = process.env
  const child = spawn(process.execPath, [cli, 'serve'], {
    env: { PATH, ...(NODE_V8_COVERAGE !== undefined && { NODE_V8_COVERAGE }), UPLOADS_DIR: folder, PORT: '0', JWT_SECRET: secret, DISK_RESERVE: '0' }, stdio: ['ignore', 'pipe', 'inherit'], cwd: folder,
  })
  t.teardown(() => child.kill('SIGKILL'))
  let log = ''
  const { promise: listening, resolve } = Promise.withResolvers<string>()
  child.stdout.on('data', (chunk) => {
    log += String(chunk)
    const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(log) ?? []
    if (url !== undefined) resolve(url)
  })
  t.equal((await fetch(new URL('/health/live', await listening))).status, 200)
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  t.strictSame(await exit, [0, null])
  t.match(log, 'Stopped.')
})

test('serve says in --help what it is', (t) => {
  t.match(commandLine('/nowhere', ['serve', '--help']), { status: 0, stdout: /Run the gateway[^]*UPLOADS_DIR=[^]*Exit codes:/ })
  t.end()
})
