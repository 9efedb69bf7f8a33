import { setImmediate } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { collectLog } from '../fixtures/log.ts'
import { build } from '../helper.ts'
import { daemon } from './fixtures/daemon.ts'

async function started (t: Test, settings: Record<string, string>) {
  const log = collectLog()
  const gateway = await build(t, { LOG_LEVEL: 'info', ...settings }, { logStream: log.stream })
  return { ...gateway, warnings: () => log.lines().filter(({ level, msg }) => level >= 40 && msg.includes('scanner')) }
}

/** A port that nobody listens at. */
async function nobody (t: Test): Promise<string> {
  const { url, close } = await daemon(t)
  await close()
  return url
}

test('a scanner that cannot be reached is complained of at the start, once, with what becomes of uploads and what to do', async (t) => {
  for (const [failsOpen, meanwhile] of [['false', 'refused with 503'], ['true', 'kept unscanned']] as const) {
    const { warnings, app } = await started(t, { CLAMD_URL: await nobody(t), SCAN_FAIL_OPEN: failsOpen })
    while (warnings().length === 0) await setImmediate()
    t.match(warnings(), [{ level: 40, err: { code: 'ECONNREFUSED' }, msg: `The scanner at CLAMD_URL does not answer: uploads are ${meanwhile} until it does. Start clamd, or change CLAMD_URL; "upload-gateway doctor" says more.` }])
    t.equal((await app.inject('/health/ready')).statusCode, 200)
    await app.close()
    t.equal(warnings().length, 1)
  }
})

test('one that answers is not spoken of', async (t) => {
  const scanner = await daemon(t)
  const { app, warnings } = await started(t, { CLAMD_URL: scanner.url })
  while (scanner.commands.length === 0) await setImmediate()
  await app.close()
  t.strictSame([scanner.commands, warnings()], [['zVERSION'], []])
})

test('one that says nothing holds up neither the start nor the stop', async (t) => {
  const scanner = await daemon(t, { isHung: true })
  const { app, warnings } = await started(t, { CLAMD_URL: scanner.url })
  while (scanner.open() === 0) await setImmediate()
  await app.close()
  t.strictSame(warnings(), [])
})
