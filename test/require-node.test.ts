import { spawnSync } from 'node:child_process'
import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { temporaryFolder } from './helper.ts'

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

t.test('what Node compiles is kept beside the code; where it cannot be, Node starts all the same', async (t) => {
  const folder = await temporaryFolder(t)
  await mkdir(join(folder, 'src'))
  for (const file of ['src/require-node.cjs', 'src/newer-node.cjs', 'package.json']) await cp(new URL(`../${file}`, import.meta.url), join(folder, file))
  const keptIn = () => spawnSync(process.execPath, ['--require', join(folder, 'src/require-node.cjs'), '--print', 'module.constructor.getCompileCacheDir()'], { encoding: 'utf8', env: {} })
  t.match(keptIn(), { status: 0, stderr: '', stdout: join(folder, 'node_modules/.cache/upload-gateway/') })
  await rm(join(folder, 'node_modules'), { recursive: true })
  await writeFile(join(folder, 'node_modules'), '')
  t.match(keptIn(), { status: 0, stderr: '', stdout: /^undefined$/m })
})
