import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'tap'
import { copyRole, excludes, gatewayRole, isRunning, ownHeartbeat, parseHeartbeat, readerRole } from '../../../src/storage/volume/instance.ts'
import { folderFor } from '../fixtures/volume.ts'

const skip = existsSync('/proc/self/stat') ? false : 'there is no /proc here'

test('this process is running, by its own heartbeat', { skip }, (t) => {
  const heartbeat = ownHeartbeat()
  t.match(heartbeat, { pid: process.pid, beat: 0, startedAt: /^\d+$/ })
  t.equal(isRunning(heartbeat), true)
  t.strictSame(parseHeartbeat(JSON.stringify(heartbeat)), heartbeat)
  t.end()
})

test('a pid that was given to another process is not the one', { skip }, (t) => {
  t.equal(isRunning({ ...ownHeartbeat(), startedAt: '1' }), false)
  t.equal(isRunning({ ...ownHeartbeat(), pid: 2 ** 22 + 1 }), false)
  t.end()
})

test('of another host, boot or container nothing is known', (t) => {
  t.equal(isRunning({ ...ownHeartbeat(), world: 'another boot pid:[1]' }), undefined)
  t.equal(isRunning({ ...ownHeartbeat(), world: '' }), undefined)
  t.equal(isRunning({ ...ownHeartbeat(), startedAt: '' }), undefined, 'one that could not tell its own start')
  t.end()
})

test('without /proc nothing is known of anybody, not even that they ended', async (t) => {
  const heartbeat = ownHeartbeat(gatewayRole, await folderFor(t))
  t.match(heartbeat, { pid: process.pid, world: '', startedAt: '' })
  t.equal(isRunning(heartbeat, '/nowhere'), undefined)
})

test('a process that has ended but was not waited for is not running', { skip }, async (t) => {
  const child = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 5'])
  t.teardown(() => child.kill('SIGKILL'))
  const pid = Number(String((await once(child.stdout, 'data'))[0]))
  const stat = async () => (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
  while ((await stat())[0] !== 'Z') await new Promise((resolve) => setTimeout(resolve, 5))
  t.equal(isRunning({ ...ownHeartbeat(), pid, startedAt: (await stat())[19] ?? '' }), false)
})

test('the name of a process may hold spaces and parentheses', async (t) => {
  const proc = await folderFor(t)
  await mkdir(join(proc, 'sys/kernel/random'), { recursive: true })
  await mkdir(join(proc, 'self/ns'), { recursive: true })
  await mkdir(join(proc, '42'))
  await writeFile(join(proc, 'sys/kernel/random/boot_id'), 'boot\n')
  await symlink('pid:[1]', join(proc, 'self/ns/pid'))
  const fields = Array.from({ length: 30 }, (_, index) => String(index + 4))
  await writeFile(join(proc, '42/stat'), `42 (a ) S (b) c) S ${fields.join(' ')}\n`)
  t.equal(isRunning({ pid: 42, world: 'boot pid:[1]', startedAt: '22', beat: 1 }, proc), true)
  t.equal(isRunning({ pid: 42, world: 'boot pid:[1]', startedAt: '21', beat: 1 }, proc), false)
})

test('what is no heartbeat is none', (t) => {
  for (const text of ['', '{', 'null', '[]', '{}', '{"pid":1,"world":"w","startedAt":1,"beat":0}']) t.equal(parseHeartbeat(text), undefined, text)
  t.end()
})

test('who must be alone is, but for a copy of the database, beside which gateways read', (t) => {
  const [rebuilding, sweeping] = [{ work: 'rebuild', isExclusive: true }, { work: 'sweep', isExclusive: false }]
  for (const other of [gatewayRole, readerRole, copyRole, rebuilding, sweeping]) t.ok(excludes(rebuilding, other) && excludes(other, rebuilding), other.work)
  for (const other of [gatewayRole, copyRole, sweeping]) t.ok(excludes(copyRole, other) && excludes(other, copyRole), other.work)
  t.notOk(excludes(copyRole, readerRole) || excludes(readerRole, copyRole) || excludes(gatewayRole, readerRole) || excludes(gatewayRole, sweeping))
  t.end()
})
