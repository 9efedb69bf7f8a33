import { test } from 'tap'
import type { BlobId } from '../../../src/storage/ids.ts'
import { blobPath, dayFolder, isFolderOfUploads, kindFolder, parseName, sidecarPath } from '../../../src/storage/volume/layout.ts'

// Made on 2025-11-21, late in the day by UTC.
const id = '019aa8c3-e3ff-7abc-8def-0123456789ab' as BlobId
const day = '2025/11/21'

test('a path is a function of kind, id and extension', (t) => {
  t.equal(kindFolder('/v', 'avatar'), '/v/avatars')
  t.equal(dayFolder('/v', { kind: 'attachment', id }), `/v/attachments/${day}`)
  t.equal(blobPath('/v', { kind: 'avatar', id, extension: 'webp' }), `/v/avatars/${day}/${id}.webp`)
  t.equal(sidecarPath('/v', { kind: 'attachment', id }), `/v/attachments/${day}/${id}.sidecar.json`)
  t.end()
})

test('no extension leads out of the folder, or takes the sidecar\'s place', (t) => {
  for (const extension of ['', '../x', 'a/b', 'PNG', 'a.b', 'sidecar.json', 'ninechars', 'x\0']) {
    t.throws(() => blobPath('/v', { kind: 'avatar', id, extension }), TypeError, JSON.stringify(extension))
  }
  t.end()
})

test('a name in a day folder is a blob, a sidecar or foreign', (t) => {
  t.strictSame(parseName(`${id}.webp`), { id, extension: 'webp' })
  t.strictSame(parseName(`${id}.sidecar.json`), { id, extension: undefined })
  for (const name of ['', '.DS_Store', id, `${id}.`, `${id}.PNG`, `${id}.webp.bak`, `${id}.tar.gz`, `x${id}.webp`, `${id.toUpperCase()}.webp`, '6ba7b810-9dad-11d1-80b4-00c04fd430c8.webp']) {
    t.equal(parseName(name), undefined, name)
  }
  t.end()
})

test('years, months and days have folders of uploads', (t) => {
  for (const path of ['avatars/2026', 'attachments/2026/11', 'avatars/2026/11/30']) t.ok(isFolderOfUploads(path), path)
  for (const path of ['avatars', 'other/2026', 'x/avatars/2026', 'avatars/26', 'avatars/20261', 'avatars/2026/1', 'avatars/2026/11/30/x', 'avatars/2026/11/30/12']) t.notOk(isFolderOfUploads(path), path)
  t.end()
})
