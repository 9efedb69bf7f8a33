// What this gateway agrees on with the others on its database: there from early on, and at a stop the lead is another's before uploads in flight are waited for.
import fastifyPlugin from 'fastify-plugin'
import type { Config } from '../config.ts'
import { openCoordination, type Coordination } from '../records/coordination.ts'

declare module 'fastify' {
  interface FastifyInstance {
    coordination: Coordination
  }
}

export const coordination = fastifyPlugin(async (app, { config }: { config: Pick<Config, 'database' | 'isReadOnly'> }) => {
  const opened = await openCoordination({
    address: config.database,
    isReadOnly: config.isReadOnly,
    witness: {
      info: (message) => app.log.info(message),
      warn: (message, error) => app.log.warn({ err: error }, message),
    },
  })
  app.addHook('preClose', () => opened.stepDown())
  app.addHook('onClose', () => opened.close())
  app.decorate('coordination', opened)
}, { name: 'coordination', fastify: '5.x', dependencies: ['storage'] })
