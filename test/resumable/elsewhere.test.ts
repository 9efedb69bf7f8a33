import { setImmediate } from 'node:timers/promises'
import { mock } from 'node:test'
import { test, type Test } from 'tap'
import { createElsewhere } from '../../src/resumable/elsewhere.ts'
import { createLeases } from '../../src/resumable/leases.ts'
import type { UploadId } from '../../src/storage/ids.ts'
import { coordinationDouble, heardByEach } from '../fixtures/coordination.ts'

const id = 'one' as UploadId

function processes (...names: string[]) {
  const doubles = names.map((name) => coordinationDouble({ id: name }))
  heardByEach(...doubles)
  return doubles.map((double) => ({ ...double, ...createLeases(createElsewhere(double.coordination)) }))
}

/** Holds until it is ended, and then until it has flushed. */
function holding ({ hold }: ReturnType<typeof processes>[number], seen: string[], name: string, flushed = Promise.resolve()) {
  return hold(id, async (signal) => {
    seen.push(`${name} has it`)
    if (!signal.aborted) await new Promise((resolve) => { signal.addEventListener('abort', resolve) })
    await flushed
    seen.push(`${name} has flushed`)
    throw signal.reason
  })
}

async function turns (): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await setImmediate()
}

function frozenTimers (t: Test): void {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
}

test('who holds it in another process is ended, and waited for until it has flushed', async (t) => {
  const [one, other] = processes('a', 'b')
  if (one === undefined || other === undefined) throw new Error('there are two')
  const seen: string[] = []
  const { promise: flushed, resolve: flush } = Promise.withResolvers<void>()
  const first = t.rejects(holding(one, seen, 'first', flushed), { code: 'RESUMABLE_TAKEN_OVER' })
  await turns()
  const second = other.hold(id, async () => { seen.push('second has it') })
  await turns()
  t.strictSame(seen, ['first has it'])
  flush()
  await Promise.all([first, second])
  t.strictSame(seen, ['first has it', 'first has flushed', 'second has it'])
  await one.hold(id, async () => { seen.push('again') })
  t.equal(seen.at(-1), 'again', 'and nobody is waited for who has let go')
})

test('one that does not answer is waited for no longer than two seconds, and not again', async (t) => {
  frozenTimers(t)
  const [one] = processes('a')
  if (one === undefined) throw new Error('there is one')
  one.hear('holding', id, 'dead')
  const seen: string[] = []
  const held = one.hold(id, async () => { seen.push('it has it') })
  await turns()
  mock.timers.tick(1999)
  await turns()
  t.strictSame(seen, [])
  mock.timers.tick(1)
  await held
  await one.hold(id, async () => { seen.push('at once') })
  t.strictSame(seen, ['it has it', 'at once'])
})

test('of two that wait for a third, one goes on', async (t) => {
  const [third, one, other] = processes('c', 'a', 'b')
  if (one === undefined || other === undefined || third === undefined) throw new Error('there are three')
  const seen: string[] = []
  const { promise: flushed, resolve: flush } = Promise.withResolvers<void>()
  const before = t.rejects(holding(third, seen, 'third', flushed), { code: 'RESUMABLE_TAKEN_OVER' })
  await turns()
  const waiting = [other, one].map(({ hold }, index) => hold(id, async () => { seen.push(`${index} has it`) }).catch(({ code }) => { seen.push(`${index} ${code}`) }))
  await turns()
  flush()
  await Promise.all([before, ...waiting])
  t.strictSame(seen.toSorted(), ['0 has it', '1 RESUMABLE_TAKEN_OVER', 'third has flushed', 'third has it'].toSorted())
})

test('who may have missed that another let go waits for nobody, and a letting go of somebody else ends no waiting', async (t) => {
  frozenTimers(t)
  const [one] = processes('a')
  if (one === undefined) throw new Error('there is one')
  one.hear('holding', id, 'other')
  one.hear('reconnected', '')
  t.equal(await one.hold(id, async () => 'at once'), 'at once')
  one.hear('holding', id, 'other')
  const seen: string[] = []
  const held = one.hold(id, async () => { seen.push('it has it') })
  one.hear('letGo', id, 'somebody else')
  one.hear('letGo', 'another upload', 'other')
  await turns()
  t.strictSame(seen, [])
  one.hear('letGo', id, 'other')
  await held
  t.strictSame(seen, ['it has it'])
})
