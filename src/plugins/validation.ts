// How requests are held against their schemas: bodies as they are, and text from addresses and headers as what it spells.
import { Ajv } from 'ajv'
import ajvFormats from 'ajv-formats'
import fastifyPlugin from 'fastify-plugin'

// Fastify's own settings would turn a null of a nullable string into '' and drop members nobody asked for. Verbose, because what is
// said of a failure is in its schema.
const exact = ajvFormats.default(new Ajv({ useDefaults: true, strict: false, verbose: true }))
const fromText = ajvFormats.default(new Ajv({ useDefaults: true, coerceTypes: 'array', strict: false, verbose: true }))

export const validation = fastifyPlugin(async (app) => {
  app.setValidatorCompiler(({ schema, httpPart }) => (httpPart === 'body' ? exact : fromText).compile(schema as object))
}, { name: 'validation', fastify: '5.x' })
