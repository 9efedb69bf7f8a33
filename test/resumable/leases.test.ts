import { test } from 'tap'
import { ServiceStopping } from '../../src/errors.ts'
import { createElsewhere } from '../../src/resumable/elsewhere.ts'
import { createLeases } from '../../src/resumable/leases.ts'
import type { UploadId } from '../../src/storage/ids.ts'
import { coordinationDouble } from '../fixtures/coordination.ts'

const id = 'one' as UploadId

test('of many who want it, the last has it, once the first has let go; those between never had it', async (t) => {
  const leases = createLeases(createElsewhere(coordinationDouble().coordination))
  const { promise: flushed, resolve: flush } = Promise.withResolvers<string>()
  const seen: string[] = []
  const first = leases.hold(id, async (signal) => {
    await new Promise((resolve) => { signal.addEventListener('abort', resolve) })
    seen.push('first is ended')
    await flushed
    seen.push('first has flushed')
    return 'kept'
  })
  await new Promise((resolve) => { setImmediate(resolve) })
  const between = t.rejects(leases.hold(id, async () => { seen.push('between') }), { code: 'RESUMABLE_TAKEN_OVER' })
  const last = leases.hold(id, async () => { seen.push('last') })
  const other = await leases.hold('two' as UploadId, async () => 'not held up')
  t.equal(other, 'not held up')
  flush('')
  t.equal(await first, 'kept')
  await between
  await last
  t.strictSame(seen, ['first is ended', 'first has flushed', 'last'])
})

test('one that failed holds up nobody, and a stop ends all', async (t) => {
  const leases = createLeases(createElsewhere(coordinationDouble().coordination))
  await t.rejects(leases.hold(id, async () => { throw new Error('no') }), /no/)
  const waiting = leases.hold(id, (signal) => new Promise((_resolve, reject) => { signal.addEventListener('abort', () => reject(signal.reason)) }))
  leases.endAll(new ServiceStopping())
  await t.rejects(waiting, { code: 'SERVICE_STOPPING' })
})
