import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import { test } from 'tap'
import { Type } from 'typebox'
import { memberOf, wordingOf } from '../src/wording.ts'

const ajv = addFormats.default(new Ajv({ strict: false, verbose: true }))

function failureOf (schema: object, value: unknown) {
  ajv.validate(schema, value)
  const [failure] = ajv.errors ?? []
  if (failure === undefined) throw new Error('the value fits')
  return failure
}

test('what does not fit is said in words that name what would', async (t) => {
  const cases: Array<[schema: object, value: unknown, wording: string]> = [
    [Type.Enum(['private', 'public', '']), 'x', 'must be one of private, public'],
    [Type.String({ pattern: '^a$', 'x-allowed': 'the letter a' }), 'b', 'must be the letter a'],
    [Type.String({ pattern: '^a$' }), 'b', 'must be of the form ^a$'],
    [Type.Object({ a: Type.Optional(Type.String()), b: Type.Optional(Type.String()) }, { additionalProperties: false }), { c: 1 }, 'is not known; known are a, b'],
    [Type.Object({ a: Type.String() }), {}, 'is missing'],
    [Type.Object({ a: Type.Optional(Type.String()), b: Type.Optional(Type.String()) }, { minProperties: 1 }), {}, 'must have at least one of a, b'],
    [Type.Integer(), 'x', 'must be a whole number'],
    [{ type: ['string', 'null'] }, 5, 'must be text or null'],
    [{ type: 'boolean' }, 5, 'must be true or false'],
    [Type.Integer({ minimum: 1 }), 0, 'must be at least 1'],
    [Type.Integer({ maximum: 9 }), 10, 'must be at most 9'],
    [Type.String({ minLength: 1 }), '', 'must have at least 1 character'],
    [Type.String({ maxLength: 2 }), 'abc', 'must have at most 2 characters'],
    [Type.String({ format: 'email' }), 'a', 'must be an e-mail address'],
    [Type.String({ format: 'ipv4' }), 'a', 'must be a valid ipv4'],
    [{ multipleOf: 2 }, 3, 'must be multiple of 2'],
  ]
  for (const [schema, value, wording] of cases) t.equal(wordingOf(failureOf(schema, value)), wording)
  t.equal(wordingOf({ keyword: 'odd', params: {} }), 'is not valid')
  t.equal(wordingOf({ keyword: 'type', params: { type: 'odd' } }), 'must be odd')
})

test('a member that is missing or unknown is named', async (t) => {
  t.equal(memberOf(failureOf(Type.Object({ a: Type.String() }), {})), 'a')
  t.equal(memberOf(failureOf(Type.Object({}, { additionalProperties: false }), { b: 1 })), 'b')
  t.equal(memberOf(failureOf(Type.String(), 1)), undefined)
})
