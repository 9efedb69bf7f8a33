import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import t, { type Test } from 'tap'
import { v7 } from 'uuid'
import { blobNaming } from '../../../src/operations/explain/named-by.ts'
import type { BlobId } from '../../../src/storage/ids.ts'
import { encodeSidecar } from '../../../src/storage/sidecar.ts'
import { sidecarPath } from '../../../src/storage/volume/layout.ts'
import { silent, type Progress } from '../../../src/operations/progress.ts'
import { createFaults } from '../../fixtures/faults.ts'
import { sidecarFor } from '../../storage/fixtures/volume.ts'

const idAt = (time: string) => v7({ msecs: new Date(time).getTime() }) as BlobId

function setUp (t: Test) {
  const root = t.testdir()
  const { fs, inject } = createFaults()
  const put = (id: BlobId, recordId: string | null, text?: string) => {
    const sidecar = sidecarFor('x', { kind: 'attachment', id, recordId })
    mkdirSync(dirname(sidecarPath(root, sidecar)), { recursive: true })
    writeFileSync(sidecarPath(root, sidecar), text ?? encodeSidecar(sidecar))
    return id
  }
  return { inject, put, find: (id: BlobId, progress: Progress = silent) => blobNaming({ fs, root, progress }, id) }
}

t.test('the sidecar that names the id is found anywhere in its day, among others and damaged ones', async (t) => {
  const { put, find } = setUp(t)
  const id = idAt('2026-11-21T12:00:00Z')
  t.equal(await find(id), undefined, 'no folder')
  for (let count = 0; count < 70; count += 1) put(idAt('2026-11-21T12:00:01Z'), v7())
  put(idAt('2026-11-21T12:00:00Z'), id, 'damaged')
  t.equal(await find(id), undefined)
  const blob = put(idAt('2026-11-21T18:00:00Z'), id)
  t.equal(await find(id), blob)
})

t.test('how far it is, is told: a day may have many', async (t) => {
  const { put, find } = setUp(t)
  const id = idAt('2026-11-21T12:00:00Z')
  for (let count = 0; count < 70; count += 1) put(idAt('2026-11-21T12:00:01Z'), v7())
  const told: unknown[] = []
  await find(id, { ...silent, step: (...step) => { told.push(step) }, advance: (count) => { told.push(count) } })
  t.strictSame(told, [['Listing the attachments of the day of the id'], ['Reading their sidecars', 70], 32, 32, 6])
})

t.test('near midnight the neighbour day is looked through too, far from it not', async (t) => {
  const { put, find } = setUp(t)
  for (const [made, blobMade, isFound] of [['2026-11-21T23:59:00Z', '2026-11-22T00:00:10Z', true], ['2026-11-23T00:01:00Z', '2026-11-22T23:59:59Z', true], ['2026-11-24T12:00:00Z', '2026-11-25T00:00:10Z', false]] as const) {
    const id = idAt(made)
    const blob = put(idAt(blobMade), id)
    t.equal(await find(id), isFound ? blob : undefined, made)
  }
})

t.test('a folder that this user may not look into is no answer', async (t) => {
  const { inject, find } = setUp(t)
  inject({ on: 'readdir', errno: 'EACCES' })
  await t.rejects(find(idAt('2026-11-21T12:00:00Z')), { name: 'Refusal', message: /attachments\/2026\/11\/21 may not be read by this user/ })
})
