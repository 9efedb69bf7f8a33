// The same models for PostgreSQL: the schema that the Prisma CLI reads is made from the one beside, which stays their only source.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { defineConfig } from 'prisma/config'

process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ??= process.execPath

// Ignored by git, like the client that is generated beside it.
const derived = join(import.meta.dirname, '../../src/generated/postgresql.prisma')

const replacements = [['provider = "sqlite"', 'provider = "postgresql"'], ['"../src/generated/prisma"', '"./postgresql"']] as const

function deriveSchema (): string {
  const models = readFileSync(join(import.meta.dirname, '../schema.prisma'), 'utf8')
  return replacements.reduce((text, [from, to]) => {
    if (text.split(from).length !== 2) throw new Error(`prisma/schema.prisma must have ${from} exactly once.`)
    return text.replace(from, to)
  }, models)
}

mkdirSync(dirname(derived), { recursive: true })
writeFileSync(derived, deriveSchema())

export default defineConfig({
  schema: derived,
  migrations: { path: 'migrations' },
})
