import t, { type Test } from 'tap'
import { checkScanner } from '../../../src/operations/doctor/scanner.ts'
import { daemon, version, type Behaviour } from '../../scanning/fixtures/daemon.ts'

async function setUp (t: Test, behaviour: Behaviour, settings: { scanFailsOpen?: boolean } = {}) {
  const scanner = await daemon(t, behaviour)
  const look = () => checkScanner({ clamdUrl: scanner.url, attachmentMaxBytes: 200_000, scanTimeoutMs: 300, scanFailsOpen: false, ...settings })
  return { scanner, look }
}

t.test('where there is none, nothing is said of it', async (t) => {
  t.strictSame(await checkScanner({ clamdUrl: undefined, attachmentMaxBytes: 1, scanTimeoutMs: 1, scanFailsOpen: false }), [])
})

t.test('one that answers and takes the largest file is in order', async (t) => {
  const { look, scanner } = await setUp(t, {})
  t.match(await look(), [{ area: 'scanner', name: 'answers', level: 'ok', detail: version }, { name: 'largest file', level: 'ok', detail: /200,000 bytes/ }])
  t.same(scanner.seen.map(({ length }) => length), [200_000])
  const secretive = await setUp(t, { version: 'COMMAND UNAVAILABLE' })
  t.match(await secretive.look(), [{ level: 'ok', detail: /keeps its version to itself/ }, { level: 'ok' }])
})

t.test('one that is gone, hangs, or takes less is told with what to change', async (t) => {
  const gone = await setUp(t, {})
  await gone.scanner.close()
  t.match(await gone.look(), [{ level: 'problem', detail: /ECONNREFUSED/, change: /CLAMD_URL.*no such upload/ }, { level: 'warning' }])
  const hung = await setUp(t, { isHung: true }, { scanFailsOpen: true })
  t.match(await hung.look(), [{ level: 'problem', detail: /timeout/, change: /kept unscanned/ }, { level: 'warning', detail: /timeout/ }])
  const small = await setUp(t, { answer: () => 'INSTREAM size limit exceeded. ERROR' })
  t.match(await small.look(), [{ level: 'ok' }, { level: 'warning', detail: /size limit exceeded/, change: /StreamMaxLength/ }])
})
