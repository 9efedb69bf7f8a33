import { readdirSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { getPriority } from 'node:os'
import { join } from 'node:path'
import { pid, platform } from 'node:process'
import { test } from 'tap'
import { answerFirst } from '../src/priority.ts'
import { temporaryFolder } from './helper.ts'

const onLinux = { skip: platform !== 'linux' && 'only Linux has priorities of threads' }

const otherThreads = () => readdirSync('/proc/self/task').map(Number).filter((thread) => thread !== pid)

test('where /proc is not mounted, or is that of another namespace, all goes on as before', onLinux, async (t) => {
  const folder = await temporaryFolder(t)
  const before = otherThreads().map((thread) => getPriority(thread))
  for (const thread of otherThreads()) await mkdir(join(folder, String(thread)))
  answerFirst(folder)
  answerFirst(join(folder, 'nothing'))
  t.same(otherThreads().map((thread) => getPriority(thread)), before)
})

test('all threads give way to the one that answers', onLinux, async (t) => {
  // Then those that wait for files are there.
  await stat('.')
  const before = getPriority()
  answerFirst()
  t.equal(getPriority(), before)
  const others = otherThreads()
  t.ok(others.length > 4)
  t.same(new Set(others.map((thread) => getPriority(thread))), new Set([Math.min(19, before + 10)]))
})
