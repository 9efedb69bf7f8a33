// How requests are held against their schemas: bodies as they are, and text from addresses and headers as what it spells.
import { Ajv } from 'ajv'
import ajvFormats from 'ajv-formats'
import fastifyPlugin from 'fastify-plugin'

// Fastify's own settings would turn a null of a nullable string into '' and drop members nobody asked for. Verbose, because what is
// said of a failure is in its schema. The schemas themselves are checked by their types.
const settings = { useDefaults: true, strict: false, verbose: true, meta: false, validateSchema: false } as const
const exact = ajvFormats.default(new Ajv(settings))
const fromText = ajvFormats.default(new Ajv({ ...settings, coerceTypes: 'array' }))

export const validation = fastifyPlugin(async (app) => {
  app.setValidatorCompiler(({ schema, httpPart }) => {
    const compile = () => (httpPart === 'body' ? exact : fromText).compile(schema as object)
    let validate: ReturnType<typeof compile> | undefined
    // Compiled by the first request: all together would be a tenth of the start.
    return (value: unknown) => {
      validate ??= compile()
      return validate(value) || { error: validate.errors ?? [] }
    }
  })
}, { name: 'validation', fastify: '5.x' })
