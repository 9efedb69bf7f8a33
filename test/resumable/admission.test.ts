import { test } from 'tap'
import { createAdmissions } from '../../src/resumable/admission.ts'
import type { Upload } from '../../src/resumable/records.ts'

const upload = (length: number | undefined) => ({ creator: { id: 'ada' }, ownerId: 'bob', kind: 'attachment', length }) as unknown as Upload

function setUp () {
  const reserved: object[] = []
  const state = { held: 0 }
  const admissions = createAdmissions({
    async reserve (amount) {
      reserved.push(amount)
      state.held += amount.bytes
      let left = amount.bytes
      return (bytes = left) => {
        state.held -= bytes
        left -= bytes
      }
    },
  })
  return { ...admissions, reserved, state }
}

test('what no row says yet is set aside for as long as it takes to say it, also when that fails', async (t) => {
  const { reserving, reserved, state } = setUp()
  t.equal(await reserving(upload(5), { bytes: 5, files: 1 }, async () => state.held), 5)
  await t.rejects(reserving(upload(5), { bytes: 5, files: 1 }, async () => { throw new Error('no row') }), { message: 'no row' })
  t.equal(state.held, 0)
  t.strictSame(reserved[0], { callerId: 'ada', ownerId: 'bob', bytes: 5, files: 1, isAvatar: false })
})

test('of a known length the row counts; of another what is announced is set aside, and given back as the row counts it', async (t) => {
  const { admit, reserved, state } = setUp()
  const known = await admit(upload(10), 10)
  t.equal(await known.commit(10, async () => 'kept'), 'kept')
  known.end()
  t.strictSame(reserved, [])

  const announced = await admit(upload(undefined), 10)
  await announced.commit(4, async () => t.equal(state.held, 10))
  t.equal(state.held, 6)
  announced.end()
  t.equal(state.held, 0)
})

test('what is not announced must fit commit by commit', async (t) => {
  const { admit, state } = setUp()
  const admission = await admit(upload(undefined), undefined)
  t.equal(state.held, 0)
  await admission.commit(4, async () => t.equal(state.held, 4))
  t.equal(state.held, 0)
  admission.end()
})
