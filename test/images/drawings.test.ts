import { setImmediate } from 'node:timers/promises'
import { text } from 'node:stream/consumers'
import { test } from 'tap'
import { ImagesBusy } from '../../src/errors.ts'
import { createDrawings } from '../../src/images/drawings.ts'
import { fallbackSvg } from '../../src/images/fallback/fallback.ts'
import { weightOfOutput } from '../../src/images/processes/weight.ts'

const ada = { userId: 'ada', name: 'Ada Lovelace' }

function setUp (work: (input: { svg: string, size: number, format: string }) => Promise<Buffer> = async ({ size, format }) => Buffer.from(`${format} of ${size}`)) {
  const ran: unknown[] = []
  const run = async (name: string, input: Parameters<typeof work>[0], turn: unknown) => {
    ran.push({ name, input, turn })
    await setImmediate()
    return { bytes: await work(input), contentType: `image/${input.format}`, width: input.size, height: input.size }
  }
  return { ran, drawings: createDrawings({ processes: { run: run as never } }) }
}

test('a drawing is the SVG itself, or made of it once for all who ask', async (t) => {
  const { drawings, ran } = setUp()
  const svg = await drawings.get('initials', ada)
  t.match(svg, { contentType: 'image/svg+xml', width: 100, height: 100 })
  t.equal(await text(await svg.read()), await fallbackSvg('initials', ada))
  t.equal(ran.length, 0)
  const many = await Promise.all(Array.from({ length: 50 }, () => drawings.get('initials', ada, { size: 64, format: 'webp' })))
  t.match(many[0], { contentType: 'image/webp', size: 'webp of 64'.length, sha256: /^[0-9a-f]{64}$/ })
  t.equal(new Set(many).size, 1)
  t.equal(await drawings.get('initials', ada, { size: 64, format: 'webp' }), many[0])
  t.strictSame(ran, [{ name: 'draw', input: { svg: await fallbackSvg('initials', ada), size: 64, format: 'webp' }, turn: { weight: weightOfOutput({ size: 64, format: 'webp' }), line: 'drawing' } }])
})

test('another user, name, kind, size or format is another drawing', async (t) => {
  const { drawings } = setUp()
  const raster = { size: 64, format: 'webp' } as const
  const all = await Promise.all([
    drawings.get('initials', ada, raster), drawings.get('initials', { ...ada, userId: 'bob' }, raster), drawings.get('initials', { ...ada, name: undefined }, raster), drawings.get('initials', { ...ada, name: '' }, raster),
    drawings.get('identicon', ada, raster), drawings.get('initials', ada, { ...raster, size: 128 }), drawings.get('initials', ada, { ...raster, format: 'png' }), drawings.get('initials', ada),
  ])
  t.equal(new Set(all).size, all.length)
})

test('a failure is told in the codes of the service, and not remembered', async (t) => {
  const failures = [new ImagesBusy(), Object.assign(new Error('of the job'), { code: 'JOB_TIMED_OUT' })]
  const { drawings, ran } = setUp(async () => {
    const failure = failures.shift()
    if (failure !== undefined) throw failure
    return Buffer.from('drawn')
  })
  const get = () => drawings.get('identicon', ada, { size: 32, format: 'png' })
  await t.rejects(get(), { code: 'IMAGES_BUSY' })
  await t.rejects(get(), { code: 'IMAGE_TOO_SLOW' })
  t.match(await get(), { size: 5 })
  t.equal(ran.length, 3)
})

test('only so many are kept in memory', async (t) => {
  const { drawings, ran } = setUp(async () => Buffer.alloc(1024 ** 2))
  const get = (user: number) => drawings.get('identicon', { userId: `user-${user}`, name: undefined }, { size: 1024, format: 'png' })
  for (let user = 0; user < 9; user += 1) await get(user)
  await get(8)
  t.equal(ran.length, 9)
  await get(0)
  t.equal(ran.length, 10, 'the first was made again')
})
