// Runs tests on one home: starts its servers, and tap on the tests. What they are told is in the environment, for test/helper.ts.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import { azurite } from '../system/fixtures/azurite.ts'
import { ceph } from '../system/fixtures/ceph.ts'
import { postgres } from '../system/postgres.ts'
import type { Home } from './tests.ts'

export type Outcome = {
  /** Files. */
  readonly passed: readonly string[]
  readonly failed: readonly string[]
  readonly seconds: number
  /** What those that failed said, in TAP. */
  readonly said: string
}

const servers: Record<Home, (t: Test) => Promise<Record<string, string>>> = {
  postgresql: async (t) => ({ TEST_DATABASE_URL: (await postgres(t)).url }),
  async s3 (t) {
    const [{ url }, store] = await Promise.all([postgres(t), ceph(t)])
    await store.makeBucket('tests')
    return { TEST_DATABASE_URL: url, TEST_STORAGE_URL: 's3://tests', ...store.environment }
  },
  async azure (t) {
    const [{ url }, store] = await Promise.all([postgres(t), azurite(t)])
    await store.makeContainer('tests')
    return { TEST_DATABASE_URL: url, TEST_STORAGE_URL: 'azblob://tests', ...store.environment }
  },
}

/** `jobs`: files at once; `tell`: hears of each that is done. */
export async function runOn (t: Test, home: Home, tests: readonly string[], { jobs = availableParallelism(), tell = (_line: string): void => {} } = {}): Promise<Outcome> {
  const told = await servers[home](t)
  // Of this tap, if it is one that runs this.
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TAP') && name !== 'NODE_OPTIONS'))
  const startedAt = performance.now()
  const tap = spawn('tap', ['run', '--disable-coverage', '--exclude=none', `--jobs=${jobs}`, '--timeout=180', '--reporter=tap', ...tests], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...own, ...told } })
  createInterface(tap.stdout).on('line', (line) => { if (/^(not )?ok /.test(line)) tell(line) })
  const [output, [code]] = await Promise.all([text(tap.stdout), once(tap, 'exit')])
  const blocks = output.split(/^(?=# Subtest: )/m).slice(1)
  const namesOf = (some: readonly string[]) => some.map((block) => /^# Subtest: (\S+)/.exec(block)?.[1] ?? '')
  const bad = blocks.filter((block) => !/^ok /m.test(block))
  const passed = namesOf(blocks.filter((block) => !bad.includes(block)))
  // A file of which nothing is heard has not passed.
  const failed = [...namesOf(bad), ...tests.filter((path) => !namesOf(blocks).includes(path))]
  if (code !== 0 && failed.length === 0) failed.push(`tap itself, with ${code}`)
  return { passed, failed, seconds: (performance.now() - startedAt) / 1000, said: bad.join('\n') }
}
