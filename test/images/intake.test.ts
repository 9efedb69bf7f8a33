import { createHash, randomBytes } from 'node:crypto'
import { readFile, rm, truncate } from 'node:fs/promises'
import sharp from 'sharp'
import { test, type Test } from 'tap'
import { ImagesBusy } from '../../src/errors.ts'
import { createIntake, type Arrived } from '../../src/images/intake.ts'
import { weightOf } from '../../src/images/processes/weight.ts'
import { inProcess } from '../operations/fixtures/old-pictures.ts'
import { openVolume } from '../storage/fixtures/volume.ts'

type Ran = { name: string, input: { path: string, otherPath?: string }, turn: { weight: number, line: string } }

const failing = (code: string) => async () => { throw Object.assign(new Error('of the job'), { code }) }

const edits = [{ start: 2, end: 5, replacement: Buffer.from('-') }]

/** Jobs that find a whole picture with something personal in it, unless it is said otherwise. */
function jobs (others: Record<string, (input: Ran['input']) => Promise<unknown>> = {}) {
  const ran: Ran[] = []
  const work: typeof others = {
    header: async () => ({ width: 30, height: 20, frames: 3, hasAlpha: false }),
    inspect: async () => ({ thumbhash: 'hash' }),
    plan: async () => ({ edits, removed: new Set(['location', 'exif']) }),
    isSameLook: async () => true,
    ...others,
  }
  return { ran, run: (async (name: string, input: Ran['input'], turn: Ran['turn']) => { ran.push({ name, input, turn }); return work[name]?.(input) }) as never }
}

async function setUp (t: Test, others?: Parameters<typeof jobs>[0]) {
  const volume = await openVolume(t)
  const processes = jobs(others)
  const staged = await volume.store.stage()
  await staged.write(Buffer.from('0123456789'))
  const arrived: Arrived = { staged, ...await staged.finish() }
  return { ...volume, processes, arrived, intake: createIntake({ processes, store: volume.store }) }
}

const how = { contentType: 'image/png', keepsMetadata: false, mustShow: true }
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

test('what is kept is another file, without what is personal; the one that arrived is gone', async (t) => {
  const { intake, arrived, files, processes } = await setUp(t)
  const taken = await intake.take(arrived, how)
  t.match(taken, { size: 8, sha256: sha256('01-56789'), facts: { width: 30, height: 20, thumbhash: 'hash', metadataRemoved: ['location', 'exif'] } })
  t.equal(await readFile(taken.staged.path, 'utf8'), '01-56789')
  t.equal((await files()).length, 1)
  t.strictSame(processes.ran.map(({ name }) => name), ['header', 'inspect', 'plan', 'header', 'isSameLook'])
  t.match(processes.ran[4]?.input, { path: arrived.staged.path, otherPath: taken.staged.path })
  const weight = (frames: number) => weightOf({ contentType: 'image/png', width: 30, height: 20, frames })
  t.strictSame(processes.ran.map(({ turn }) => turn), [0, weight(3), 0, 0, weight(3)].map((weight) => ({ weight, line: 'upload' })), 'what each decodes is what it weighs')
})

test('where nothing is to be taken out, or is to be, the file is the one that arrived', async (t) => {
  const clean = await setUp(t, { plan: async () => ({ edits: [], removed: [] }) })
  t.match(await clean.intake.take(clean.arrived, how), { ...clean.arrived, facts: { metadataRemoved: { length: 0 }, thumbhash: 'hash' } })
  t.equal(clean.processes.ran.length, 3)
  const kept = await setUp(t)
  t.match(await kept.intake.take(kept.arrived, { ...how, keepsMetadata: true }), { ...kept.arrived, facts: { metadataRemoved: null, thumbhash: 'hash' } })
  t.equal(kept.processes.ran.length, 2)
  const other = await setUp(t)
  t.strictSame((await other.intake.take(other.arrived, { ...how, contentType: 'image/tiff' })).facts, { width: null, height: null, thumbhash: null, metadataRemoved: null })
  t.equal(other.processes.ran.length, 0)
})

test('what cannot be shown is refused, or kept for as much as is known of it', async (t) => {
  const facts = { width: null, height: null, thumbhash: null }
  for (const [code, told] of [['IMAGE_INVALID', 'IMAGE_INVALID'], ['IMAGE_TOO_LARGE', 'IMAGE_TOO_LARGE'], ['JOB_TIMED_OUT', 'IMAGE_TOO_SLOW'], ['JOB_CRASHED', 'IMAGE_INVALID']] as const) {
    for (const [job, known] of [['header', facts], ['inspect', { ...facts, width: 30, height: 20 }]] as const) {
      const { intake, arrived, files, processes } = await setUp(t, { [job]: failing(code) })
      await t.rejects(intake.take(arrived, how), { code: told, cause: { code } }, `${job} with ${code}`)
      t.equal((await files()).length, 1, 'which whoever received it discards')
      const taken = await intake.take(arrived, { ...how, mustShow: false })
      t.match(taken, { size: 8, facts: { ...known, metadataRemoved: ['location', 'exif'] } })
      t.notOk(processes.ran.some(({ name }) => name === 'isSameLook'), 'there is no look to compare')
    }
  }
})

test('nothing is cut from behind a damaged picture, for it may be the rest of it', async (t) => {
  const plan = async () => ({ edits, removed: ['other'], cutsUnclaimed: true })
  const lenient = { ...how, mustShow: false }
  for (const job of ['header', 'inspect']) {
    const { intake, arrived, files } = await setUp(t, { plan, [job]: failing('IMAGE_INVALID') })
    await t.rejects(intake.take(arrived, lenient), { code: 'METADATA_UNREADABLE', statusCode: 422 }, job)
    t.equal((await files()).length, 1)
  }
  const kept = await setUp(t, { plan, inspect: failing('IMAGE_INVALID') })
  t.match(await kept.intake.take(kept.arrived, { ...lenient, keepsMetadata: true }), kept.arrived)
  const large = await setUp(t, { plan, header: async () => ({ width: 8160, height: 6120, frames: 1, hasAlpha: false }), inspect: failing('IMAGE_TOO_LARGE') })
  t.match(await large.intake.take(large.arrived, lenient), { size: 8, facts: { width: 8160, thumbhash: null, metadataRemoved: ['other'] } })
  const sound = await setUp(t, { plan })
  t.match(await sound.intake.take(sound.arrived, lenient), { size: 8 })
})

test('real pictures with a false end, or in a row, are refused or kept byte for byte', async (t) => {
  const noise = () => sharp(randomBytes(64 * 48 * 3), { raw: { width: 64, height: 48, channels: 3 } })
  const [jpeg, png, gif, webp] = await Promise.all([noise().jpeg().toBuffer(), noise().png().toBuffer(), noise().gif().toBuffer(), noise().webp().toBuffer()])
  const riff = (length: number) => { const copy = Buffer.from(webp); copy.writeUInt32LE(length, 4); return copy }
  const put = (file: Buffer, at: number, part: Buffer) => Buffer.concat([file.subarray(0, at), part, file.subarray(at)])
  const files: Array<[name: string, contentType: string, bytes: Buffer, isKept?: boolean]> = [
    ['a WebP file without a length', 'image/webp', riff(0), true],
    ['one with a false length', 'image/webp', riff(100)],
    ['one whose length ends before its pixels', 'image/webp', riff(4)],
    ['a PNG file with an early end', 'image/png', put(png, 33, png.subarray(-12))],
    ['a GIF file with an early end', 'image/gif', put(gif, gif.indexOf('2c00000000', 'hex'), Buffer.from(';'))],
    ['a JPEG file with an early end', 'image/jpeg', put(jpeg, 2, jpeg.subarray(-2))],
    ['one with a lost marker', 'image/jpeg', Buffer.from(jpeg.toString('latin1').replace('\xff\xdb', '\0\xdb'), 'latin1')],
    ['a film of JPEG files', 'image/jpeg', Buffer.concat([jpeg, jpeg, jpeg, jpeg])],
  ]
  for (const [name, contentType, bytes, isKept] of files) {
    const { store } = await openVolume(t)
    const staged = await store.stage()
    await staged.write(bytes)
    const arrived = { staged, ...await staged.finish() }
    const taking = createIntake({ processes: inProcess, store }).take(arrived, { contentType, keepsMetadata: false, mustShow: false })
    if (isKept) t.equal((await taking).sha256, arrived.sha256, name)
    else await t.rejects(taking, { code: 'METADATA_UNREADABLE' }, name)
  }
})

test('what is no fault of the picture ends every upload', async (t) => {
  for (const job of ['header', 'inspect', 'plan', 'isSameLook']) {
    const { intake, arrived, files } = await setUp(t, { [job]: async () => { throw new ImagesBusy() } })
    await t.rejects(intake.take(arrived, { ...how, mustShow: false }), { code: 'IMAGES_BUSY', statusCode: 503 }, job)
    t.equal((await files()).length, 1, 'nothing but what arrived')
  }
})

test('a picture whose personal parts cannot be told, or that would not look the same, is refused', async (t) => {
  for (const others of [{ plan: failing('METADATA_UNREADABLE') }, { isSameLook: async () => false }, { isSameLook: failing('METADATA_UNREADABLE') }, { isSameLook: failing('IMAGE_INVALID') }]) {
    for (const mustShow of [true, false]) {
      const { intake, arrived, files } = await setUp(t, others)
      await t.rejects(intake.take(arrived, { ...how, mustShow }), { code: 'METADATA_UNREADABLE', statusCode: 422 })
      t.equal((await files()).length, 1)
    }
  }
})

test('what fails on the volume is told so, and leaves nothing but what arrived', async (t) => {
  const full = await setUp(t)
  full.faults.inject({ on: 'writev', errno: 'ENOSPC' })
  await t.rejects(full.intake.take(full.arrived, how), { code: 'STORAGE_FULL' })
  t.equal((await full.files()).length, 1)

  const cut = await setUp(t)
  await truncate(cut.arrived.staged.path, 1)
  await t.rejects(cut.intake.take(cut.arrived, how), { code: 'STORAGE_UNAVAILABLE', cause: { message: /is not the one that was planned for/ } })
  const gone = await setUp(t)
  await rm(gone.arrived.staged.path)
  await t.rejects(gone.intake.take(gone.arrived, how), { code: 'STORAGE_UNAVAILABLE', cause: { code: 'ENOENT' } })
  t.strictSame(await gone.files(), [])
})
