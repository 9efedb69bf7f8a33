import t from 'tap'
import { diagnose } from '../../../src/operations/doctor/doctor.ts'
import { homeToLookAt, lookAtStore } from '../../../src/operations/doctor/object-store.ts'
import { ObjectsRefused } from '../../../src/storage/objects/objects.ts'
import { homeFor } from '../../fixtures/object-home.ts'
import { rm } from 'node:fs/promises'

const url = 'http://127.0.0.1:1'

t.test('how quick the store is is told, and nothing stays in it', async (t) => {
  const { objects } = await homeFor(t)
  t.match(await lookAtStore(objects, () => 0), { level: 'ok', detail: 'The object store memory takes a small object and gives it back in 0 ms.' })
  let nowMs = 0
  t.match(await lookAtStore(objects, () => (nowMs += 5000)), { level: 'warning', detail: /1000 ms/ })
  t.strictSame(objects.keys(), [])
})

t.test('what it refuses is told with what to do', async (t) => {
  const { objects, config, fs } = await homeFor(t)
  objects.before = () => { throw new ObjectsRefused('Allow s3:PutObject.') }
  t.match(await lookAtStore(objects, () => 0), { level: 'problem', detail: 'The object store memory does not do its work: Allow s3:PutObject.' })
  const { checks } = await diagnose(config, { fs, url })
  t.match(checks.filter(({ area }) => area === 'volume').map(({ name, level, detail }) => [name, level, detail]), [['identity', 'problem', /Allow s3:PutObject/], ['object store', 'problem', /Allow s3:PutObject/]])
})

t.test('a store without a volume, and a machine without the folder, are told apart', async (t) => {
  const { config, fs } = await homeFor(t)
  const { checks } = await diagnose(config, { fs, url })
  t.match(checks.find(({ name }) => name === 'identity'), { level: 'problem', detail: /^memory is no uploads volume/, change: /Set STORAGE_URL/ })
  await rm(config.uploadsDir, { recursive: true })
  t.match((await diagnose(config, { fs, url })).checks.filter(({ area }) => area === 'volume'), [{ name: 'object store', level: 'ok' }])
})

t.test('one that cannot be opened at all is a problem of its own, and the rest is looked at', async (t) => {
  const { config } = await homeFor(t, { STORAGE_URL: 's3://bucket', STORAGE_ENDPOINT: 'http://127.0.0.1:1' })
  t.match(await homeToLookAt(config, undefined), /^STORAGE_URL cannot be used: /)
  const { checks } = await diagnose(config, { url })
  t.match(checks.filter(({ area }) => area === 'volume'), [{ name: 'object store', level: 'problem', detail: /^STORAGE_URL cannot be used/ }])
  t.ok(checks.some(({ area }) => area === 'clock'))
})
