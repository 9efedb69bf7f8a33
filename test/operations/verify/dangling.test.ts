import { test } from 'tap'
import type { Dangling } from '../../../src/records/inventory.ts'
import { checkDangling } from '../../../src/operations/verify/dangling.ts'
import { createFindings, mends } from '../../../src/operations/verify/observed.ts'

function setUp (...answers: Dangling[][]) {
  const findings = createFindings()
  let pauses = 0
  const inventory = { dangling: async () => answers.shift() ?? [] } as unknown as Parameters<typeof checkDangling>[0]['inventory']
  return { findings, pauses: () => pauses, check: () => checkDangling({ inventory, findings, pause: async () => { pauses += 1 } }) }
}

const left = [{ blobId: 'a', what: 'the record of an attachment' }, { blobId: 'a', what: 'an old path' }, { blobId: 'b', what: 'an old path' }]

test('records without a row are told once each, unless their files are named already', async (t) => {
  const { findings, check } = setUp(left, left)
  findings.add({ problem: 'row-missing', path: 'x', id: 'b', detail: '', mend: mends['row-missing'] })
  t.match(await check(), [{ problem: 'row-inconsistent', id: 'a', detail: 'The database has the record of an attachment and an old path, but neither a row nor a file for it.' }])
  t.equal((await check()).length, 0)
})

test('what is gone a moment later was being removed', async (t) => {
  const { check, pauses } = setUp(left, [])
  t.same(await check(), [])
  t.equal(pauses(), 1)
})
