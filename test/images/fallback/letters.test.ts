import t from 'tap'
import { lettersOf } from '../../../src/images/fallback/letters.ts'

const cases: Array<[name: string, letters: string, why: string]> = [
  ['John Doe', 'JD', 'each word'],
  ['  ada   lovelace ', 'AL', 'as capitals, whatever the spaces'],
  ['Jean-Luc Picard', 'JLP', 'both halves of a double name'],
  ['ada.lovelace_42', 'AL', 'the words of a user name; digits only where there are no letters'],
  ['007', '0', 'digits alone'],
  ["O'Brien (Sales)", 'OS', 'past what stands before a letter'],
  ['ʻIolani', 'I', 'past an okina'],
  ['straße ßeta', 'SS', 'one letter of the two that a sharp s becomes'],
  ['ǆ ﬁ', 'DF', 'the first of a ligature'],
  ['𝕁𝕠𝕙𝕟 Ⓓⓞⓔ Ｊ', 'JDJ', 'styled letters as plain ones'],
  ['A\u030angstro\u0308m', 'Å', 'an accent stays with its letter, however it was sent'],
  ['J\u0337\u0322\u030e\u034eo\u0336hn D\u0317\u0317\u0317oe', 'JD', 'zalgo without its marks'],
  ['\u202EJohn\u202C \u2067Doe\u2069\u200f', 'JD', 'direction overrides are no letters'],
  ['\u200b\u200dJohn\ufeffDoe', 'JD', 'nor are characters without width'],
  ['<script>alert(1)</script>', 'S', 'markup is text'],
  ['محمد حسن', 'مح', 'in the order of speech, also where that is from right to left'],
  ['เอกชัย ใจดี', 'อจ', 'the consonant that a Thai vowel is written before'],
  ['आर्या क्षितिज', 'आक', 'the first letter of a cluster'],
  ['李 明', '李明', 'whether they can be drawn is not asked here'],
  ['🙂 John 👨‍👩‍👧', 'J', 'words without letters are passed over'],
  ['🙂 👨‍👩‍👧', '', 'emoji alone'],
  ['', '', 'nothing'],
  ['.-_ …', '', 'punctuation alone'],
  ['\ud800 \udc00 \0', '', 'halves of characters'],
]

for (const [name, letters, why] of cases) {
  t.test(`the letters of a name: ${why}`, async (t) => {
    t.equal(lettersOf(name).join(''), letters)
  })
}

t.test('capitals do not depend on the locale', async (t) => {
  t.same(lettersOf('ismail ılgaz'), ['I', 'I'])
})

t.test('of a very long name, the beginning counts', async (t) => {
  t.same(lettersOf('x'.repeat(5_000_000) + ' y'), ['X'])
  t.equal(lettersOf('a '.repeat(1_000_000)).length, 128)
  t.same(lettersOf('a' + '\u0335\u0301\u0323'.repeat(1_000_000)), ['Ạ'], 'with a mark that it takes in')
  t.equal(lettersOf('\ufdfa'.repeat(1_000_000)).length, 256 * 3 + 1, 'one character that is four words')
})
