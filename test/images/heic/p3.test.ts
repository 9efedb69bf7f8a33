import { test } from 'tap'
import { p3Profile } from '../../../src/images/heic/p3.ts'

test('the profile is one of a display with colours in RGB, and made once', async (t) => {
  const profile = await p3Profile()
  t.equal(profile.readUInt32BE(), profile.length)
  t.equal(profile.toString('latin1', 12, 20), 'mntrRGB ')
  t.equal(profile.toString('latin1', 36, 40), 'acsp')
  t.equal(await p3Profile(), profile)
})
