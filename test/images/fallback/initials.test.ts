import sharp from 'sharp'
import t from 'tap'
import { glyphOf } from '../../../src/images/fallback/glyphs.ts'
import { initialsSvg } from '../../../src/images/fallback/initials.ts'
import { contrast } from './contrast.ts'

const seed = 'ada'

const outlineOf = async (letter: string): Promise<string> => (await glyphOf(letter))?.getPath(0, 0, 1000).toPathData(0) ?? 'none'

/** The data of the path of the letters. */
async function letterPath (name: string): Promise<string> {
  const svg = await initialsSvg({ name, seed })
  return /scale\([^)]+\)" d="([^"]+)"/.exec(svg ?? '')?.[1] ?? ''
}

t.test('the outlines of the first and the last letter, and nothing else of the name', async (t) => {
  for (const name of ['John Doe', 'John Paul Doe', '<script>"&', '\u202EJohn\u202C', 'J' + '\u0337'.repeat(99), 'x'.repeat(300), 'محمد', 'Ẵ']) {
    const svg = await initialsSvg({ name, seed }) ?? ''
    t.match(svg, /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="100" height="100" viewBox="0 0 100 100"><path fill="#[0-9a-f]{6}" d="M0 0h100v100H0z"\/><path fill="#fff" transform="translate\([\d.]+ [\d.]+\) scale\(0\.\d{5}\)" d="[-\d MLQZ]+"\/><\/svg>$/, name.slice(0, 9))
  }
  t.equal(await letterPath('John Paul Doe'), await letterPath('John Doe'))
  t.equal(await letterPath('john'), await outlineOf('J'))
  t.not(await letterPath('John Doe'), await letterPath('Doe John'))
})

t.test('names of scripts that are written from right to left are', async (t) => {
  t.ok((await letterPath('דוד לוי')).startsWith(await outlineOf('ל')))
  t.ok((await letterPath('محمد حسن')).startsWith(await outlineOf('ح')))
  t.ok((await letterPath('محمد John')).startsWith(await outlineOf('J')), 'by the first letter')
  t.ok((await letterPath('John محمد')).startsWith(await outlineOf('J')))
  t.ok((await letterPath('Жанна Л')).startsWith(await outlineOf('Ж')))
})

t.test('letters we cannot draw are passed over', async (t) => {
  t.equal(await letterPath('John 李'), await letterPath('John'))
  t.equal(await letterPath('李 John Doe 김'), await letterPath('John Doe'))
  for (const name of ['李 明', '김 철수', '山田', '🙂', '', '\ud800', '…']) t.equal(await initialsSvg({ name, seed }), undefined, name)
})

t.test('letters stand in the middle, as large as a round frame allows', async (t) => {
  for (const name of ['John Doe', 'W W', 'Æ Œ', 'I', 'Ẵ Ậ', 'Щ Ю', 'غ', 'ع ج', 'आ क', 'ธ ญ', 'ל', 'Q J']) {
    const svg = await initialsSvg({ name, seed }) ?? ''
    const pixels = await sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer()
    const ground = pixels[0] ?? 0
    const inked = Array.from({ length: 10_000 }, (_, index) => index).filter((index) => Math.abs((pixels[index * 3] ?? 0) - ground) > 40)
    const columns = inked.map((index) => index % 100 + 0.5)
    const distances = inked.map((index) => Math.hypot(index % 100 - 49.5, Math.floor(index / 100) - 49.5))
    t.ok(inked.length > 150, `${name} can be seen`)
    t.ok(Math.max(...distances) < 40, `${name} is inside`)
    t.ok(Math.abs((Math.min(...columns) + Math.max(...columns)) / 2 - 50) <= 1, `${name} is in the middle`)
  }
})

t.test('capitals share a baseline, with tails and accents or without', async (t) => {
  const baseline = async (name: string) => /translate\(\S+ ([\d.]+)\) scale\(0\.05000\)/.exec(await initialsSvg({ name, seed }) ?? '')?.[1]
  t.equal(await baseline('H'), '67.85')
  t.equal(await baseline('Q'), '67.85')
  t.equal(await baseline('J'), '67.85')
  t.equal(await baseline('Ö'), '67.85')
})

t.test('the colour is the seed’s, and white on it has a contrast of 4.5 : 1', async (t) => {
  const groundOf = async (seed: string, name = 'A') => /fill="(#[0-9a-f]{6})"/.exec(await initialsSvg({ name, seed }) ?? '')?.[1] ?? ''
  t.equal(await groundOf('ada'), await groundOf('ada', 'Other Name'))
  const grounds = new Set<string>()
  for (let index = 0; index < 400; index++) grounds.add(await groundOf(`user-${index}`))
  t.equal(grounds.size, 16)
  for (const ground of grounds) t.ok(contrast(ground, '#ffffff') >= 4.5, ground)
})
