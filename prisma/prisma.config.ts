// Where the Prisma CLI finds the models and migrations. The gateway itself never reads this file.
import { defineConfig } from 'prisma/config'

// `prisma generate` needs no schema engine, yet the CLI downloads one unless it is told where one is.
process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ??= process.execPath

export default defineConfig({
  schema: 'schema.prisma',
  migrations: { path: 'migrations' },
})
