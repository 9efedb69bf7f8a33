import { test } from 'tap'
import { ImagesBusy } from '../../src/errors.ts'
import { createExamining, isUndecodable, mayCutPixels } from '../../src/images/examining.ts'
import { maxAnimatedFrames } from '../../src/images/limits.ts'
import { weightOf } from '../../src/images/processes/weight.ts'

const file = { path: '/a', contentType: 'image/webp' } as const
const header = { width: 30, height: 20, frames: 3, hasAlpha: false, isProgressive: false }
const none = { width: null, height: null, thumbhash: null }
const coded = (code: string) => Object.assign(new Error(code), { code })

type Turn = { weight: number, line: string }

function examiningOf (answers: Record<string, unknown>) {
  const ran: Array<[name: string, input: unknown, turn: Turn]> = []
  const run = async (name: string, input: unknown, turn: Turn) => {
    ran.push([name, input, turn])
    const answer = answers[name]
    if (answer instanceof Error) throw answer
    return answer
  }
  return { ran, ...createExamining({ run: run as never }, { line: 'variant' }) }
}

test('each job weighs what it decodes', async (t) => {
  const { ran, look, plan, isSameLook } = examiningOf({ header, inspect: { thumbhash: 'hash' }, plan: { edits: [] }, isSameLook: true })
  const seen = await look(file, () => false)
  t.strictSame(seen, { width: 30, height: 20, thumbhash: 'hash' })
  t.strictSame(await plan(file), { edits: [] })
  t.equal(await isSameLook(file, '/b', seen), true)
  const light = { weight: 0, line: 'variant' }
  const heavy = { weight: weightOf({ ...file, ...header }), line: 'variant' }
  t.strictSame(ran, [['header', file, light], ['inspect', file, heavy], ['plan', file, light], ['header', file, light], ['isSameLook', { ...file, otherPath: '/b' }, heavy]])

  const still = examiningOf({ header: { ...header, frames: maxAnimatedFrames + 1 }, inspect: { thumbhash: 'hash' } })
  await still.look(file, () => false)
  t.equal(still.ran[1]?.[2].weight, weightOf({ ...file, ...header, frames: 1 }), 'of what does not move one frame')

  const path = `${t.testdir({ picture: 'x'.repeat(1000) })}/picture`
  const heic = { path, contentType: 'image/heic' } as const
  const large = examiningOf({ header, inspect: { thumbhash: 'hash' }, plan: { edits: [] }, isSameLook: true })
  await large.isSameLook(heic, '/b', await large.look(heic, () => false))
  await large.plan(heic)
  const decoded = weightOf({ ...heic, ...header, frames: 3 })
  t.strictSame(large.ran.map(([, , { weight }]) => weight), [2000, 2000 + decoded, 2000, 2000 + decoded, 0], 'of HEIC the whole file, where it is read')
})

test('what was to be expected leaves as much as is known; all else is thrown', async (t) => {
  const invalid = coded('IMAGE_INVALID')
  t.strictSame(await examiningOf({ header: invalid }).look(file, isUndecodable), none)
  t.strictSame(await examiningOf({ header, inspect: coded('IMAGE_TOO_LARGE') }).look(file, isUndecodable), { ...none, width: 30, height: 20 })
  for (const error of [coded('JOB_CRASHED'), coded('JOB_TIMED_OUT'), new ImagesBusy(), coded('ENOENT'), new Error('a mistake')]) {
    for (const answers of [{ header: error }, { header, inspect: error }]) await t.rejects(examiningOf(answers).look(file, isUndecodable), error)
    await t.rejects(examiningOf({ header, isSameLook: error }).isSameLook(file, '/b', { ...none, thumbhash: 'hash' }), error)
  }
  await t.rejects(examiningOf({ header: invalid }).look(file, () => false), invalid)
})

test('what a plan cuts behind a damaged picture may be pixels', (t) => {
  const plan = { edits: [], removed: [], cutsUnclaimed: true } as const
  t.equal(mayCutPixels(plan, none), true)
  t.equal(mayCutPixels(plan, { ...none, width: 8000, height: 5000 }), true)
  t.equal(mayCutPixels(plan, { ...none, width: 8160, height: 6120 }), false, 'which is merely too large')
  t.equal(mayCutPixels(plan, { ...none, thumbhash: 'hash' }), false, 'whose look is compared')
  t.equal(mayCutPixels({ edits: [], removed: [] }, none), false)
  t.end()
})

test('what cannot be decoded has no look; a copy that cannot be, has another', async (t) => {
  const { ran, isSameLook } = examiningOf({})
  t.equal(await isSameLook(file, '/b', { ...none, width: 1, height: 1 }), true)
  t.strictSame(ran, [])
  const seen = { ...none, thumbhash: 'hash' }
  t.equal(await examiningOf({ header, isSameLook: false }).isSameLook(file, '/b', seen), false)
  t.equal(await examiningOf({ header, isSameLook: coded('IMAGE_INVALID') }).isSameLook(file, '/b', seen), false)
})
