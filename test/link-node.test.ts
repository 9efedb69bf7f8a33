import { spawnSync } from 'node:child_process'
import { cpSync, lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { temporaryFolder } from './helper.ts'

const src = fileURLToPath(new URL('../src', import.meta.url))
const working = '#!/bin/sh\necho v24.0.0\n'
const broken = '#!/no/such/loader\n'

/** A checkout with these platform packages installed, and where npm scripts look for node. */
async function checkout (t: Test, installed: Record<string, string>) {
  const folder = await temporaryFolder(t)
  const modules = join(folder, 'node_modules')
  mkdirSync(join(folder, 'src'))
  for (const name of ['link-node.cjs', 'newer-node.cjs']) cpSync(join(src, name), join(folder, 'src', name))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ optionalDependencies: { 'node-a': '1', 'node-b': '1' } }))
  for (const [name, content] of Object.entries(installed)) {
    mkdirSync(join(modules, name, 'bin'), { recursive: true })
    writeFileSync(join(modules, name, 'bin/node'), content, { mode: 0o755 })
  }
  return { link: join(modules, '.bin/node'), run: (...options: string[]) => spawnSync(process.execPath, [...options, join(folder, 'src/link-node.cjs')], { encoding: 'utf8' }) }
}

t.test('the platform package whose Node.js runs here is linked', async (t) => {
  const { link, run } = await checkout(t, { 'node-a': broken, 'node-b': working })
  t.match(run(), { status: 0, stdout: '', stderr: '' })
  t.equal(readlinkSync(link), '../node-b/bin/node')
  t.equal(spawnSync(link, ['--version'], { encoding: 'utf8' }).stdout, 'v24.0.0\n')
})

t.test('a link that npm has made stays, one that leads nowhere is replaced', async (t) => {
  const { link, run } = await checkout(t, { 'node-a': working, 'node-b': working })
  mkdirSync(dirname(link), { recursive: true })
  symlinkSync('../node-b/bin/node', link)
  t.equal(run().status, 0)
  t.equal(readlinkSync(link), '../node-b/bin/node')

  const other = await checkout(t, { 'node-a': working })
  mkdirSync(dirname(other.link), { recursive: true })
  symlinkSync('../node-gone/bin/node', other.link)
  t.equal(other.run().status, 0)
  t.equal(readlinkSync(other.link), '../node-a/bin/node')
})

t.test('where no platform package runs nothing is linked, and the installation goes on', async (t) => {
  for (const installed of [{}, { 'node-a': broken }]) {
    const { link, run } = await checkout(t, installed)
    t.match(run(), { status: 0, stderr: '' })
    t.throws(() => lstatSync(link), { code: 'ENOENT' })
  }
})

t.test('on Windows, the exec of npm scripts is there and runs what it is given', async (t) => {
  const { link, run } = await checkout(t, { 'node-a': working })
  const asWindows = await temporaryFolder(t)
  writeFileSync(join(asWindows, 'windows.cjs'), "Object.defineProperty(process, 'platform', { value: 'win32' })")
  t.match(run('--require', join(asWindows, 'windows.cjs')), { status: 0, stderr: '' })
  t.equal(readFileSync(join(dirname(link), 'exec.cmd'), 'utf8'), '@%*\r\n')
  t.throws(() => lstatSync(link), { code: 'ENOENT' })
})
