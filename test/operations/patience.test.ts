import { test } from 'tap'
import { ImagesBusy } from '../../src/errors.ts'
import { patiently } from '../../src/operations/patience.ts'

const file = { path: '/a', contentType: 'image/png' } as const
const turn = { weight: 0, line: 'variant' } as const

/** What `failures` are over answers. */
function asking (failures: Error[]) {
  const waited: number[] = []
  let asked = 0
  const run = async () => {
    asked += 1
    const error = failures.shift()
    if (error !== undefined) throw error
    return 'done'
  }
  const ask = () => patiently({ run: run as never }, async (ms) => { waited.push(ms) }).run('plan', file, turn) as Promise<unknown>
  return { ask, waited, count: () => asked }
}

test('what was too busy is asked again, later each time', async (t) => {
  const { ask, waited } = asking([new ImagesBusy(), new ImagesBusy(), new ImagesBusy()])
  t.equal(await ask(), 'done')
  t.strictSame(waited, [1000, 5000, 20_000])
})

test('but not for ever, and nothing else is', async (t) => {
  const busy = asking(Array.from({ length: 9 }, () => new ImagesBusy()))
  await t.rejects(busy.ask(), { code: 'IMAGES_BUSY' })
  t.equal(busy.count(), 4)
  const crashed = asking([Object.assign(new Error('it crashed'), { code: 'JOB_CRASHED' })])
  await t.rejects(crashed.ask(), { code: 'JOB_CRASHED' })
  t.strictSame([crashed.count(), crashed.waited], [1, []])
})
