import { executionAsyncResource } from 'node:async_hooks'
import process from 'node:process'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { keepTickShape } from '../src/tick-shape.ts'

t.test('one of what waits for its tick is there for good', async (t) => {
  const { nextTick } = process
  let seen: WeakRef<object> | undefined
  process.nextTick = (run: () => void) => nextTick(() => {
    seen = new WeakRef(executionAsyncResource())
    run()
  })
  keepTickShape()
  process.nextTick = nextTick
  await setImmediate()
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  await setImmediate()
  runInNewContext('gc')()
  t.match(seen?.deref(), { callback: Function })
})
