import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const guard = fileURLToPath(new URL('../src/require-node.cjs', import.meta.url))

/** Runs the guard in a Node.js that says it is this version. */
function run (version: string) {
  const pretend = `Object.defineProperty(process, 'version', { value: 'v${version}' }); Object.defineProperty(process.versions, 'node', { value: '${version}' })`
  return spawnSync(process.execPath, ['--eval', `${pretend}; require(${JSON.stringify(guard)})`], { encoding: 'utf8' })
}

t.test('a Node.js that is too old is refused in one sentence that says what to do', async (t) => {
  const { status, stdout, stderr } = run('20.20.2')
  t.match({ status, stdout }, { status: 1, stdout: '' })
  t.match(stderr, /^Upload Gateway needs Node\.js 24 or newer; this is v20\.20\.2, [^\n]* Install Node\.js 24; in a clone, then run npm ci again\.\n$/)
})

t.test('24 and newer pass silently', async (t) => {
  for (const version of ['24.0.0', '26.1.0', '100.0.0']) t.match(run(version), { status: 0, stdout: '', stderr: '' })
})
