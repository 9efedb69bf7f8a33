// What the fields of a form say of its files, held against a schema as queries are.
import type { Static, TObject } from 'typebox'
import { Check, Errors } from 'typebox/schema'
import { UploadFieldInvalid } from '../errors.ts'
import { wordingOf } from '../wording.ts'
import { withFields } from './foreign-errors.ts'

/** @throws UploadFieldInvalid naming each that is wrong */
export function checkedFields<S extends TObject> (schema: S, values: unknown): Static<S> {
  if (Check(schema, values)) return values as Static<S>
  const [, failures] = Errors(schema, values)
  const wrong = failures.map((failure) => {
    const name = failure.instancePath.slice(1)
    const parentSchema = (schema.properties as Record<string, object>)[name] ?? {}
    return { in: 'form' as const, name, detail: wordingOf({ ...failure, parentSchema }) }
  })
  throw withFields(new UploadFieldInvalid(wrong.map(({ name, detail }) => `${name} ${detail}`).join(', ')), wrong)
}
