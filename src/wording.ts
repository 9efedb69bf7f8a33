// What is said of a value that does not fit its JSON schema, for people. Knows nothing of requests and settings.

/** One failure, as Ajv (with `verbose`) and TypeBox tell it. */
export type SchemaFailure = {
  readonly keyword: string
  readonly params: Readonly<Record<string, unknown>>
  readonly message?: string
  /** The schema that the value does not fit; `x-allowed` says in words what its pattern does. */
  readonly parentSchema?: object
}

type Schema = { 'x-allowed'?: string, properties?: object }

/** A sentence without its subject: "must be one of private, public". */
export function wordingOf ({ keyword, params, message = 'is not valid', parentSchema = {} }: SchemaFailure): string {
  return sentences[keyword]?.(params, parentSchema as Schema) ?? message
}

/** The member that is missing or that nobody knows, where the failure is about one. */
export function memberOf ({ keyword, params }: SchemaFailure): string | undefined {
  const name = keyword === 'required' ? params['missingProperty'] : keyword === 'additionalProperties' ? params['additionalProperty'] : undefined
  return typeof name === 'string' ? name : undefined
}

const sentences: Record<string, (params: Readonly<Record<string, unknown>>, schema: Schema) => string | undefined> = {
  type: ({ type }) => `must be ${[type].flat().map((name) => types[String(name)] ?? String(name)).join(' or ')}`,
  enum: ({ allowedValues }) => `must be one of ${[allowedValues].flat().filter((value) => value !== '').join(', ')}`,
  pattern: ({ pattern }, schema) => `must be ${schema['x-allowed'] ?? `of the form ${String(pattern)}`}`,
  format: ({ format }) => `must be ${formats[String(format)] ?? `a valid ${String(format)}`}`,
  required: () => 'is missing',
  additionalProperties: (_params, schema) => `is not known; known are ${namesIn(schema)}`,
  minProperties: (_params, schema) => `must have at least one of ${namesIn(schema)}`,
  minLength: ({ limit }) => `must have at least ${counted(limit, 'character')}`,
  maxLength: ({ limit }) => `must have at most ${counted(limit, 'character')}`,
  minimum: ({ limit }) => `must be at least ${String(limit)}`,
  maximum: ({ limit }) => `must be at most ${String(limit)}`,
}

const types: Record<string, string> = {
  integer: 'a whole number', number: 'a number', string: 'text', boolean: 'true or false', object: 'an object', array: 'a list', null: 'null',
}

const formats: Record<string, string> = { email: 'an e-mail address', uuid: 'a UUID' }

const namesIn = ({ properties = {} }: Schema): string => Object.keys(properties).join(', ')

const counted = (count: unknown, noun: string): string => `${String(count)} ${noun}${count === 1 ? '' : 's'}`
