import { test } from 'tap'
import { settingsOf } from '../../../src/storage/objects/settings.ts'

const address = { kind: 's3', container: 'uploads', prefix: '', endpoint: undefined, isPathStyle: false } as const

test('a store is named by its setting or option, and so is where it is', (t) => {
  t.strictSame(settingsOf(address), { url: 'STORAGE_URL', endpoint: 'STORAGE_ENDPOINT' })
  t.strictSame(settingsOf({ ...address, setting: 'STORAGE_FALLBACK_URL' }), { url: 'STORAGE_FALLBACK_URL', endpoint: 'STORAGE_FALLBACK_ENDPOINT' })
  t.strictSame(settingsOf({ ...address, setting: '--from' }), { url: '--from', endpoint: '--from-endpoint' })
  t.end()
})
