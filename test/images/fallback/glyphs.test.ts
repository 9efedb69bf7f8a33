import { promises } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import t, { type Test } from 'tap'
import { glyphOf } from '../../../src/images/fallback/glyphs.ts'

/** Until the test is over, `told` hears of every file that is read, and may throw. */
function onRead (t: Test, told: (path: string) => void) {
  const { readFile } = promises
  const replace = (other: unknown) => {
    Object.assign(promises, { readFile: other })
    syncBuiltinESMExports()
  }
  t.teardown(() => replace(readFile))
  replace(async (path: string) => {
    told(path)
    return await readFile(path)
  })
}

t.test('a font is read once, when a letter first needs it', async (t) => {
  const paths: string[] = []
  onRead(t, (path) => paths.push(path))
  await Promise.all(['Ж', 'Л', 'Ж', 'Д'].map(glyphOf))
  await glyphOf('Щ')
  t.equal(paths.length, 1)
  t.match(paths[0], /noto-sans-cyrillic-600-normal\.woff$/)
})

t.test('a font that could not be read is tried again', async (t) => {
  let failures = 1
  onRead(t, () => {
    if (failures-- > 0) throw Object.assign(new Error('too many open files'), { code: 'EMFILE' })
  })
  await t.rejects(glyphOf('Ω'), { code: 'EMFILE' })
  t.ok(await glyphOf('Ω'))
})

t.test('letters of the scripts we have fonts for have outlines', async (t) => {
  for (const letter of ['J', '7', 'Ł', 'Đ', 'Ẵ', 'Ж', 'Ѣ', 'Ω', 'Ἀ', 'क', 'ح', 'ی', 'ד', 'ก']) {
    const glyph = await glyphOf(letter)
    const outline = glyph?.getPath(0, 0, 1000).toPathData(0) ?? ''
    t.match(outline, /^M-?\d+[-\d MLQZ]+$/, letter)
    t.ok((glyph?.advanceWidth ?? 0) > 100, letter)
  }
})

t.test('what no font has, has none', async (t) => {
  for (const letter of ['李', '김', 'あ', 'ა', '🙂', 'ꭓ', '\ud800', '', '\0', '\u{1df00}']) t.equal(await glyphOf(letter), undefined, JSON.stringify(letter))
})
