import { hash } from 'node:crypto'
import t from 'tap'
import { fallbackSvg, generatorVersion } from '../../../src/images/fallback/fallback.ts'
import { identiconSvg } from '../../../src/images/fallback/identicon.ts'
import { initialsSvg } from '../../../src/images/fallback/initials.ts'

const userId = '0190b3c1-ada'

t.test('the kind that was asked for', async (t) => {
  t.equal(await fallbackSvg('identicon', { userId, name: 'Ada Lovelace' }), identiconSvg(userId))
  t.equal(await fallbackSvg('initials', { userId, name: 'Ada Lovelace' }), await initialsSvg({ name: 'Ada Lovelace', seed: userId }))
})

t.test('an identicon where there are no initials', async (t) => {
  for (const name of [undefined, '', '🙂', '李明']) t.equal(await fallbackSvg('initials', { userId, name }), identiconSvg(userId), `${name}`)
})

t.test('pictures are as they were since this version of the generator', async (t) => {
  const names = ['Ada Lovelace', 'Łukasz Ögür', 'Жанна', 'Ωμέγα Δ', 'محمد حسن', 'דוד', 'आर्या', 'เอกชัย', '李']
  const pictures = await Promise.all(names.map((name) => fallbackSvg('initials', { userId, name })))
  // Entity tags carry the version: when a font or library changes an outline, give both lines new values.
  t.equal(generatorVersion, 1)
  t.equal(hash('sha256', pictures.join('\n')), '97edba71fe602ae28a34ca65b794d508b658a57ac494bcf49efdd3ac2a76bff0')
})
