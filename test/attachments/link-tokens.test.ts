import { randomBytes } from 'node:crypto'
import { test } from 'tap'
import { linkClaimed, linkToken } from '../../src/attachments/link-tokens.ts'
import { createSigner } from '../../src/callers/signer.ts'
import { newRecordId } from '../../src/storage/ids.ts'

const signer = createSigner(['a secret of the tests that is long enough'])

test('a token says which link it is and when that ends, to the millisecond', (t) => {
  for (const at of [0, 1, 1_767_225_599_999, Date.UTC(2200, 0)]) {
    const claim = { id: newRecordId(), expiresAt: new Date(at) }
    const token = linkToken(signer, claim)
    t.match(token, /^[A-Za-z0-9_-]{72}$/)
    t.strictSame(linkClaimed(signer, token), claim)
  }
  t.end()
})

test('a token has one spelling, and no other text is one', (t) => {
  const token = linkToken(signer, { id: newRecordId(), expiresAt: new Date() })
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  for (let index = 0; index < token.length; index += 1) {
    const others = [...alphabet].filter((letter) => letter !== token[index])
    t.notOk(others.some((letter) => linkClaimed(signer, token.slice(0, index) + letter + token.slice(index + 1)) !== undefined), `at ${index}`)
  }
  for (const wrong of ['', 'x', token.slice(1), `${token}A`, `${token}=`, ` ${token}`, `${token}\n`, token.replace(/.$/, '.'), randomBytes(54).toString('base64url'), 'A'.repeat(72), 'é'.repeat(72)]) {
    t.equal(linkClaimed(signer, wrong), undefined, JSON.stringify(wrong))
  }
  t.end()
})
