import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import type { Clamd } from '../../src/scanning/clamd.ts'
import { createScan, withoutScanner, type ScanOutcome } from '../../src/scanning/scan.ts'
import { temporaryFolder } from '../helper.ts'
import { eventually } from '../transfer/fixtures/upload-server.ts'

async function setUp (t: Test, clamd: Partial<Clamd> = {}, options: { failsOpen?: boolean, deadlineMs?: number } = {}) {
  const path = join(await temporaryFolder(t), 'staged')
  await writeFile(path, Buffer.alloc(150_000, 'x'))
  const ended: ScanOutcome[] = []
  const warnings: unknown[] = []
  const clock = { ms: 0 }
  const asked = { scans: 0, versions: 0, chunks: [] as number[] }
  const double: Clamd = {
    async scan (bytes, signal) {
      asked.scans++
      if (clamd.scan !== undefined) return clamd.scan(bytes, signal)
      for await (const chunk of bytes) asked.chunks.push(chunk.length)
      return undefined
    },
    async version (signal) {
      asked.versions++
      return clamd.version === undefined ? `version ${asked.versions}` : clamd.version(signal)
    },
  }
  const scan = createScan({ clamd: double, failsOpen: false, deadlineMs: 60_000, ...options, onEnd: (outcome) => ended.push(outcome), warn: (error) => warnings.push(error), nowMs: () => clock.ms })
  return { scan: () => scan({ path }), scanOf: scan, ended, warnings, clock, asked }
}

const hanging = (_bytes: unknown, signal: AbortSignal) => new Promise<never>((_resolve, reject) => { signal.addEventListener('abort', () => reject(signal.reason)) })
const down = async () => { throw Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }) }

test('a clean file is kept with the version that found nothing', async (t) => {
  const { scan, ended, asked } = await setUp(t)
  t.strictSame(await scan(), { scan: 'clean', scanSignature: 'version 1' })
  t.strictSame(ended, ['clean'])
  t.strictSame(asked.chunks, [65_536, 65_536, 18_928], 'read in pieces')
})

test('a harmful file is refused under its name, also where scanning may fail', async (t) => {
  for (const failsOpen of [false, true]) {
    const { scan, ended, warnings } = await setUp(t, { scan: async () => 'Eicar-Test-Signature' }, { failsOpen })
    await t.rejects(scan(), { code: 'UPLOAD_INFECTED', statusCode: 422, message: /\(Eicar-Test-Signature\)/ })
    t.strictSame([ended, warnings], [['infected'], []])
  }
})

test('what cannot be scanned is refused for now, or kept and marked', async (t) => {
  const refusing = await setUp(t, { scan: down })
  await t.rejects(refusing.scan(), { code: 'SCANNER_UNAVAILABLE', statusCode: 503, headers: { 'Retry-After': /^\d+$/ }, cause: { code: 'ECONNREFUSED' } })
  t.strictSame(refusing.ended, ['refused'])
  const keeping = await setUp(t, { scan: down }, { failsOpen: true })
  t.strictSame(await keeping.scan(), { scan: 'unscanned', scanSignature: null })
  t.strictSame(keeping.ended, ['unscanned'])
  t.match(keeping.warnings, [{ code: 'ECONNREFUSED' }], 'and it is said')
})

test('a file that is not there any more was not scanned', async (t) => {
  const { scanOf } = await setUp(t)
  await t.rejects(scanOf({ path: '/nowhere' }), { code: 'SCANNER_UNAVAILABLE', cause: { code: 'ENOENT' } })
})

test('a scanner that hangs costs no upload more than the deadline, however many wait for a turn', async (t) => {
  let open = 0
  let most = 0
  const counted: Clamd['scan'] = (bytes, signal) => {
    most = Math.max(most, ++open)
    return hanging(bytes, signal).finally(() => { open-- })
  }
  const { scan, ended } = await setUp(t, { scan: counted }, { deadlineMs: 300 })
  const answers = await Promise.allSettled(Array.from({ length: 40 }, scan))
  for (const answer of answers) t.match(answer, { status: 'rejected', reason: { code: 'SCANNER_UNAVAILABLE', cause: { message: 'There was no verdict of the scanner within 0.3 s.' } } })
  t.equal(most, 4)
  t.ok(await eventually(() => open === 0))
  t.equal(ended.length, 40)
})

test('four are scanned at a time, and the next when one is done', async (t) => {
  let release = () => {}
  const gate = new Promise<void>((resolve) => { release = resolve })
  let most = 0
  let open = 0
  const { scan } = await setUp(t, {
    async scan () {
      most = Math.max(most, ++open)
      await gate
      open--
      return undefined
    },
  })
  const all = Promise.all(Array.from({ length: 12 }, scan))
  t.ok(await eventually(() => open === 4))
  release()
  t.equal((await all).length, 12)
  t.equal(most, 4)
})

test('the version is asked for once a minute, and not knowing it is no harm', async (t) => {
  const { scan, clock, asked } = await setUp(t)
  const signatures = async () => (await scan()).scanSignature
  t.strictSame(await Promise.all([signatures(), signatures(), signatures()]), ['version 1', 'version 1', 'version 1'])
  clock.ms = 60_000
  t.equal(await signatures(), 'version 1')
  clock.ms = 60_001
  t.equal(await signatures(), 'version 2')
  t.equal(asked.versions, 2)
  const silent = await setUp(t, { version: down })
  t.strictSame(await silent.scan(), { scan: 'clean', scanSignature: null })
  t.strictSame(await silent.scan(), { scan: 'clean', scanSignature: null })
  t.equal(silent.asked.versions, 2, 'a failure is not kept')
})

test('without a scanner nothing is said', async (t) => {
  t.strictSame(await withoutScanner({ path: '/nowhere' }), { scan: null, scanSignature: null })
})
