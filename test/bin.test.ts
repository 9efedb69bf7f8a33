import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { temporaryFolder } from './helper.ts'

const top = fileURLToPath(new URL('..', import.meta.url))
const { bin, files } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { bin: Record<string, string>, files: string[] }
const started = bin['upload-gateway'] ?? ''

/** Says which Node.js it is, then does what it is told. */
const command = `
process.on('SIGTERM', () => process.exit(7))
console.log(process.versions.node, ...process.argv.slice(2))
if (process.argv[2] === 'wait') setInterval(() => {}, 1000)
if (process.argv[2] === 'read') process.stdin.pipe(process.stdout)
if (process.argv[2] === 'die') process.kill(process.pid, 'SIGKILL')
if (process.argv[2] === 'fail') process.exitCode = 3
`

/** The package as npm packs and installs it, but for another command line; on a Node.js that says it is this version. `bundled`: where npm has put another one, which tells the truth. */
async function install (t: Test, { version, bundled }: { version: string, bundled?: string }) {
  const modules = join(await temporaryFolder(t), 'node_modules')
  const folder = join(modules, 'upload-gateway')
  mkdirSync(join(folder, 'dist'), { recursive: true })
  for (const name of files.filter((name) => dirname(name) === dirname(started))) cpSync(join(top, name), join(folder, name))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', optionalDependencies: { 'node-a': '1', 'node-b': '1' } }))
  writeFileSync(join(folder, 'dist/cli.js'), command)
  writeFileSync(join(folder, 'pretend.cjs'), `Object.defineProperty(process, 'version', { value: 'v${version}' }); Object.defineProperty(process.versions, 'node', { value: '${version}' })`)
  if (bundled !== undefined) {
    mkdirSync(join(modules, bundled, 'bin'), { recursive: true })
    symlinkSync(process.execPath, join(modules, bundled, 'bin/node'))
  }
  return (...args: string[]) => {
    const child = spawn(process.execPath, ['--require', join(folder, 'pretend.cjs'), join(folder, started), ...args])
    const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]).then(([stdout, stderr, [code, signal]]) => ({ stdout, stderr, code, signal }))
    return { child, ended }
  }
}

const own = process.versions.node

t.test('where Node.js is too old, the one that npm installed runs the command, as if it were called itself', async (t) => {
  for (const bundled of ['node-b', 'upload-gateway/node_modules/node-a']) {
    const run = await install(t, { version: '20.20.2', bundled })
    t.strictSame(await run('verify', '--json').ended, { stdout: `${own} verify --json\n`, stderr: '', code: 0, signal: null }, bundled)
    t.match(await run('fail').ended, { code: 3 })
    t.match(await run('die').ended, { code: null, signal: 'SIGKILL' })
    const reading = run('read')
    reading.child.stdin.end('what is typed')
    t.match(await reading.ended, { stdout: `${own} read\nwhat is typed`, code: 0 })
  }
})

t.test('a signal is passed on, and the command ends when it is done with it', async (t) => {
  const run = await install(t, { version: '20.20.2', bundled: 'node-a' })
  const { child, ended } = run('wait')
  await once(child.stdout, 'data')
  child.kill('SIGTERM')
  t.match(await ended, { code: 7, signal: null })
})

t.test('where none is installed either, one sentence says what to do', async (t) => {
  const run = await install(t, { version: '20.20.2' })
  t.match(await run('serve').ended, { code: 1, stdout: '', stderr: /^Upload Gateway needs Node\.js 24 or newer; this is v20\.20\.2, [^\n]*\n$/ })
})

t.test('a Node.js that is new enough runs the command itself', async (t) => {
  const run = await install(t, { version: '26.1.0', bundled: 'node-a' })
  t.strictSame(await run('serve').ended, { stdout: '26.1.0 serve\n', stderr: '', code: 0, signal: null })
})
