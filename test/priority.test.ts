import { readdirSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { getPriority } from 'node:os'
import { pid, platform } from 'node:process'
import { test } from 'tap'
import { answerFirst } from '../src/priority.ts'

test('all threads give way to the one that answers', { skip: platform !== 'linux' && 'only Linux has priorities of threads' }, async (t) => {
  // Then those that wait for files are there.
  await stat('.')
  const before = getPriority()
  answerFirst()
  t.equal(getPriority(), before)
  const others = readdirSync('/proc/self/task').map(Number).filter((thread) => thread !== pid)
  t.ok(others.length > 4)
  t.same(new Set(others.map((thread) => getPriority(thread))), new Set([Math.min(19, before + 10)]))
})
