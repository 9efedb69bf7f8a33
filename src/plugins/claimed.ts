// A process that stood still may find that another database has its home meanwhile: it changes nothing any more, and is not ready.
import fastifyPlugin from 'fastify-plugin'
import { mayChange } from './read-only.ts'

/** After `methods`: what there is nothing at is told so in any case. */
export const claimed = fastifyPlugin(async (app) => {
  app.addHook('onRequest', async ({ method, routeOptions }) => {
    if (mayChange(method, routeOptions.url ?? '')) await app.storage.requireClaim()
  })
}, { name: 'claimed', fastify: '5.x', dependencies: ['methods', 'storage'] })
