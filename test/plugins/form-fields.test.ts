import { test } from 'tap'
import { Type } from 'typebox'
import { checkedFields } from '../../src/plugins/form-fields.ts'

const schema = Type.Object({
  visibility: Type.Optional(Type.Enum(['private', 'public'])),
  crop: Type.Optional(Type.String({ pattern: '^[0-9,]+$', 'x-allowed': 'numbers and commas' })),
}, { additionalProperties: false })

test('fields that fit are handed on', async (t) => {
  t.strictSame(checkedFields(schema, {}), {})
  t.strictSame(checkedFields(schema, { visibility: 'public', crop: '1,2' }), { visibility: 'public', crop: '1,2' })
})

test('of those that do not, each is named, with what would fit', async (t) => {
  t.throws(() => checkedFields(schema, { visibility: 'all', crop: 'x' }), {
    code: 'UPLOAD_FIELD_INVALID',
    message: 'A form field is not valid: visibility must be one of private, public, crop must be numbers and commas.',
    fields: [{ in: 'form', name: 'visibility', detail: 'must be one of private, public' }, { in: 'form', name: 'crop', detail: 'must be numbers and commas' }],
  })
  t.throws(() => checkedFields(Type.Object({ crop: Type.String() }), {}), { code: 'UPLOAD_FIELD_INVALID' })
  t.throws(() => checkedFields(schema, { unknown: 'x' }), { code: 'UPLOAD_FIELD_INVALID' })
})
