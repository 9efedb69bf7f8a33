import { test } from 'tap'
import { createPlaces, isBlobKey, isFolderKey, isOurs } from '../../../src/storage/objects/keys.ts'

const blob = 'attachments/2026/11/23/01a20649-95bc-748f-b246-0e3192c0f020.txt'
const placeOf = createPlaces(['/data', '/mnt/data'], (path) => path.startsWith('old/'))

test('what others see is an object, what is of use here alone is a file of this machine', (t) => {
  for (const path of ['upload-gateway.json', 'database.json', 'erasures.ndjson', 'tombstones.ndjson', 'restore-unfinished.json', 'avatars', blob, 'resumable/x/0-1', 'notes.txt', 'staging/x/heartbeat.json']) {
    for (const root of ['/data', '/mnt/data']) t.strictSame(placeOf(`${root}/${path}`), { is: 'object', key: path }, path)
  }
  for (const path of ['/data/cache/x/y', '/data/database/gateway.sqlite', '/data/staging/x/y', '/data/staging/x/y/heartbeat.json', '/data/old/system.txt', '/database', '/data2/avatars', '/elsewhere/data/avatars', '/data/../etc/passwd']) {
    t.strictSame(placeOf(path), { is: 'local' }, path)
  }
  t.strictSame(placeOf('/data'), { is: 'root' })
  t.strictSame(placeOf('/data/'), { is: 'root' })
  t.strictSame(placeOf('/data/staging'), { is: 'staging', key: 'staging' })
  t.strictSame(placeOf('/data/staging/x'), { is: 'staging', key: 'staging/x' })
  t.strictSame(placeOf('/data/avatars/../upload-gateway.json'), { is: 'object', key: 'upload-gateway.json' })
  t.end()
})

test('a blob is told from its sidecar, and the folders of the layout from what lies in them', (t) => {
  t.ok(isBlobKey(blob))
  for (const key of [blob.replace('.txt', '.sidecar.json'), `${blob}.damaged`, 'attachments/2026/11/23/notes.txt', blob.replace('attachments', 'others'), 'a.txt']) t.notOk(isBlobKey(key), key)
  for (const key of ['avatars', 'attachments', 'attachments/2026', 'avatars/2026/11/23', 'resumable', 'resumable/x']) t.ok(isFolderKey(key), key)
  for (const key of ['', 'others', blob, 'avatars/x', 'resumable/x/0-1', 'upload-gateway.json']) t.notOk(isFolderKey(key), key)
  t.end()
})

test('what gateways alone read is told from what clients read', (t) => {
  for (const key of [blob.replace('.txt', '.sidecar.json'), 'staging/x/heartbeat.json', 'staging/x/probe']) t.ok(isOurs(key), key)
  for (const key of [blob, blob.replace('.txt', '.txt.damaged'), 'resumable/x/0-1.parts/0000000000000000', 'notes.txt']) t.notOk(isOurs(key), key)
  t.end()
})
