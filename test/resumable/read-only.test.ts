import { test } from 'tap'
import type { Caller } from '../../src/callers/caller.ts'
import type { Engine } from '../../src/resumable/engine.ts'
import { standingStill } from '../../src/resumable/read-only.ts'
import type { Upload } from '../../src/resumable/records.ts'
import type { UploadId } from '../../src/storage/ids.ts'

const untouched = async (): Promise<never> => { throw new Error('something was changed') }

/** An engine that knows this upload, and may only be looked at. */
function still (upload: Partial<Upload>) {
  const engine = { look: async () => upload, resume: untouched, finish: untouched, finishDue: untouched, upkeep: untouched } as unknown as Engine
  return standingStill(engine)
}

const asked = (engine: Engine) => engine.resume({ id: 'ada', scopes: new Set() } as unknown as Caller, 'id' as UploadId)

test('who asks where to go on is told where it stands', async (t) => {
  t.match(await asked(still({ state: 'receiving', offset: 5 })), { offset: 5 })
  t.match(await asked(still({ state: 'finished', offset: 9 })), { state: 'finished' })
})

test('what is complete waits, in words on which tus clients come back; why one failed is told as ever', async (t) => {
  await t.rejects(asked(still({ state: 'finishing' })), { code: 'RESUMABLE_FINISHING', statusCode: 423, headers: { 'Retry-After': '5' } })
  await t.rejects(asked(still({ state: 'failed', failure: { code: 'IMAGE_INVALID', status: 422, detail: 'No picture.' } })), { code: 'IMAGE_INVALID', statusCode: 422 })
})

test('nothing is finished or removed when its time comes', async (t) => {
  const engine = still({})
  t.equal(await engine.finishDue({ isStart: true }), 0)
  t.equal(await engine.upkeep(), 0)
})
