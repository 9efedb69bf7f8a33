import { test } from 'tap'
import { createLoneCoordination, openCoordination } from '../../src/records/coordination.ts'

const witness = { info () {}, warn () {} }

test('on an embedded database each gateway leads, from the start and for good, and hears itself', async (t) => {
  const coordination = await openCoordination({ address: { kind: 'sqlite', file: '/nowhere' }, isReadOnly: false, witness })
  const heard: unknown[] = []
  coordination.hear('told', (...message) => heard.push(message))
  coordination.onLead(() => t.fail('it does from the start'))
  t.equal(coordination.leads(), true)
  coordination.tell('told', 'something')
  coordination.tell('erased', 'for nobody')
  t.strictSame(heard, [['something', coordination.id]])
  await coordination.stepDown()
  t.equal(coordination.leads(), true)
  t.equal(coordination.term.aborted, false)
  await coordination.close()
})

test('where nothing may be changed nobody leads, on whichever database', async (t) => {
  for (const address of [{ kind: 'sqlite', file: '/nowhere' }, { kind: 'postgresql', url: 'postgres://nowhere' }] as const) {
    const coordination = await openCoordination({ address, isReadOnly: true, witness })
    t.equal(coordination.leads(), false)
    t.equal(coordination.term.aborted, true)
  }
})

test('each process has a name of its own', async (t) => {
  t.not(createLoneCoordination().id, createLoneCoordination().id)
})
