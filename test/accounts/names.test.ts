import t from 'tap'
import { cleanDisplayName, nameFromEmail, normalEmail } from '../../src/accounts/names.ts'

t.test('spellings of one e-mail address are one', async (t) => {
  t.equal(normalEmail('  Ada@Example.COM\n'), 'ada@example.com')
  t.equal(normalEmail('e\u0301@x.org'), '\u00e9@x.org', 'composed')
})

t.test('a display name loses what cannot be seen and keeps what languages and emoji need', async (t) => {
  t.equal(cleanDisplayName('  Ada \t\n Lovelace '), 'Ada Lovelace')
  t.equal(cleanDisplayName('A\u0000d\u001b\u009ba'), 'Ada')
  t.equal(cleanDisplayName('\u202eada\u2066\u200b\ufeff'), 'ada')
  t.equal(cleanDisplayName('Jose\u0301'), 'Jos\u00e9')
  t.equal(cleanDisplayName('می\u200cخواهم'), 'می\u200cخواهم')
  t.equal(cleanDisplayName('👩\u200d🚀'), '👩\u200d🚀')
  t.equal(cleanDisplayName('a\ud800'), 'a', 'half a character')
  t.equal(cleanDisplayName('<b>'), '<b>', 'showing it safely is the client\'s part')
})

t.test('a name with nothing to see is none', async (t) => {
  for (const text of ['', '   ', '\u200d\u200c', '\u0000\u202e']) t.equal(cleanDisplayName(text), undefined, JSON.stringify(text))
})

t.test('who gives no name is called by the e-mail address, without its domain', async (t) => {
  t.equal(nameFromEmail('ada.l@example.com'), 'ada.l')
  t.equal(nameFromEmail(`${'a'.repeat(150)}@example.com`).length, 100)
})
