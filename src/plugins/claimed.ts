// A process that stood still may find that another database has its home meanwhile: it changes nothing any more, and is not ready.
import fastifyPlugin from 'fastify-plugin'
import { ConfigError } from '../config.ts'
import { mayChange } from './read-only.ts'

/** A home that cannot be seen just now stops only what needs it. */
function unlessUnseen (error: unknown): void {
  if (error instanceof Error && error.cause instanceof ConfigError) throw error
}

/** After `methods`: what there is nothing at is told so in any case. */
export const claimed = fastifyPlugin(async (app) => {
  app.addHook('onRequest', async ({ method, routeOptions }) => {
    if (mayChange(method, routeOptions.url ?? '')) await app.storage.lease().catch(unlessUnseen)
  })
}, { name: 'claimed', fastify: '5.x', dependencies: ['methods', 'storage'] })
