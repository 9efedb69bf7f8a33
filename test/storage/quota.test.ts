import { test } from 'tap'
import { findOverQuota } from '../../src/storage/quota.ts'
import type { Sidecar } from '../../src/storage/sidecar.ts'
import { createRows } from './fixtures/ledger.ts'
import { sidecarFor } from './fixtures/volume.ts'

function setUp () {
  const { rows, ledger } = createRows(() => new Date())
  const limits = { ledger, maxBytes: 10, going: new Set<never>(), limit: 1000 }
  const kept = (ownerId: string | null, size: number, second: number, state: Sidecar['state'] = 'deleted') => {
    const sidecar = { ...sidecarFor('', { ownerId, state, stateAt: new Date(second * 1000).toISOString() }), size }
    rows.set(sidecar.id, sidecar)
    return sidecar.id
  }
  const found = async (changes: Partial<Parameters<typeof findOverQuota>[0]> = {}) => (await findOverQuota({ ...limits, ...changes })).map(({ id }) => id)
  return { rows, kept, found }
}

test('what is in the trash for longest goes, until the rest is within the limit', async (t) => {
  const { kept, found } = setUp()
  const third = kept('ada', 6, 3)
  const first = kept('ada', 3, 1)
  const second = kept('ada', 3, 2, 'superseded')
  t.strictSame(await found(), [first])
  t.strictSame(await found({ maxBytes: 8 }), [first, second])
  t.strictSame(await found({ maxBytes: 12 }), [], 'as much as the limit is not over it')
  t.strictSame(await found({ maxBytes: 1 }), [first, second, third], 'also one that is larger than the limit')
})

test('each owner has their own limit, and what is live or pending, or nobody\'s, is never looked at', async (t) => {
  const { kept, found } = setUp()
  const bob = kept('bob', 11, 1)
  kept('ada', 10, 1)
  kept('ada', 100, 1, 'live')
  kept(null, 100, 1)
  kept(null, 100, 1, 'pending')
  t.strictSame(await found(), [bob])
})

test('0 is no limit', async (t) => {
  const { kept, found } = setUp()
  kept('ada', 11, 1)
  t.strictSame(await found({ maxBytes: 0 }), [])
})

test('what goes anyway counts as gone, and is not named twice', async (t) => {
  const { kept, found } = setUp()
  const first = kept('ada', 6, 1)
  const second = kept('ada', 6, 2)
  kept('ada', 6, 3)
  t.strictSame(await found({ going: new Set([first]) }), [second])
  t.strictSame(await found({ going: new Set([first, second]) }), [])
})

test('thousands of an owner are gone through page by page, and no more are named than asked for', async (t) => {
  const { kept, found } = setUp()
  const ids = Array.from({ length: 1200 }, (_, index) => kept('ada', 1, index))
  const bob = kept('bob', 11, 1)
  t.strictSame(await found({ limit: 10_000 }), [...ids.slice(0, 1190), bob])
  t.strictSame(await found({ limit: 7 }), ids.slice(0, 7))
})

test('an owner whose trash was restored meanwhile loses nothing', async (t) => {
  const { rows, kept, found } = setUp()
  const id = kept('ada', 11, 1)
  const row = rows.get(id) as Sidecar
  const ownersOver = async () => { rows.set(id, { ...row, state: 'live' }); return [{ ownerId: 'ada', bytes: 11 }] }
  const { ledger } = createRows(() => new Date())
  t.strictSame(await found({ ledger: { ...ledger, ownersOver } }), [])
})
