import fs, { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { pino } from 'pino'
import { test, type Test } from 'tap'
import { bufferedOutput } from '../../src/plugins/log-output.ts'
import { errnoError } from '../fixtures/faults.ts'
import { temporaryFolder } from '../helper.ts'

async function setUp (t: Test) {
  const file = join(await temporaryFolder(t), 'log')
  const descriptor = openSync(file, 'w')
  t.teardown(() => closeSync(descriptor))
  const output = bufferedOutput(descriptor)
  const written = () => readFileSync(file, 'utf8').trim().split('\n').map((line) => line === '' ? '' : JSON.parse(line).msg)
  return { output, log: pino({}, output), written }
}

test('lines that only inform are written together, others at once with all from before', async (t) => {
  const { output, log, written } = await setUp(t)
  log.info('one')
  log.info('two')
  t.strictSame(written(), [''])
  log.warn('three')
  t.strictSame(written(), ['one', 'two', 'three'])
  log.info('four')
  output.flushSync()
  t.equal(written().at(-1), 'four')
  log.child({ of: 'a request' }).info('five')
  while (written().at(-1) !== 'five') await setTimeout(10)
  log.child({ of: 'a request' }).error('six')
  t.equal(written().at(-1), 'six')
  for (let line = 0; line < 200; line += 1) log.info('x'.repeat(100))
  t.ok(written().length > 100, 'as soon as they are many')
})

test('a full disk ends nothing: once it takes lines again, those that waited come first, and no more than there is memory for', async (t) => {
  const { output, log, written } = await setUp(t)
  const { writeSync } = fs
  t.teardown(() => { fs.writeSync = writeSync })
  fs.writeSync = () => { throw errnoError('ENOSPC') }
  log.warn('one')
  log.info('two')
  await setTimeout(200)
  output.flushSync()
  t.strictSame(written(), [''])
  fs.writeSync = writeSync
  log.warn('three')
  t.strictSame(written(), ['one', 'two', 'three'])
  fs.writeSync = () => { throw errnoError('EDQUOT') }
  for (let line = 0; line < 3000; line += 1) log.warn('x'.repeat(1000))
  fs.writeSync = writeSync
  log.warn('x'.repeat(1000))
  const { length } = written()
  t.ok(length > 500 && length < 1100, `${length} lines`)
  log.warn('four')
  t.equal(written().at(-1), 'four')
})

test('a log that nobody can write to is no full disk', async (t) => {
  const descriptor = openSync('/dev/null', 'r')
  t.teardown(() => closeSync(descriptor))
  t.throws(() => pino({}, bufferedOutput(descriptor)).warn('one'), { code: 'EBADF' })
})
