// While the gateway runs, and leads, what happens to files is told to the webhook: at once, or when it can be reached again. What is told, and when it is written, is the business of whoever changes a file.
import fastifyPlugin from 'fastify-plugin'
import type { Config } from '../config.ts'
import type { Metrics } from '../plugins/metrics.ts'
import type { Coordination } from '../records/coordination.ts'
import type { Events } from '../records/events.ts'
import type { Outbox } from './records.ts'
import { createSender, type Witness } from './sender.ts'
import { createWebhook } from './webhook.ts'

/** What others on the same database tell, such as a command, and what is to be tried again. */
const lookEveryMs = 1000

/** Of those that were given up; and of all, while there is no webhook. */
const keptMs = 30 * 24 * 60 * 60_000
const forgetEveryMs = 60 * 60_000

type Options = {
  coordination: Pick<Coordination, 'leads' | 'onLead' | 'tell' | 'hear'>
  webhook: Config['webhook']
  outbox: Outbox
  events: Pick<Events, 'onTold'>
  metrics: Pick<Metrics, 'eventSent' | 'eventFailed'>
  now: () => Date
}

export const delivery = fastifyPlugin(async (app, { coordination, webhook, outbox, events, metrics, now }: Options) => {
  const oldestKept = () => new Date(now().getTime() - keptMs)
  if (webhook === undefined) {
    // There was one once: what it was not told names users, also ones who are erased.
    app.doNowAndThen({ name: 'untoldEvents', everyMs: forgetEveryMs, run: () => outbox.forgetAll(oldestKept()) })
    return
  }
  let isFailing = false

  const witness: Witness = {
    sent () {
      metrics.eventSent()
      if (isFailing) app.log.info('The webhook takes events again.')
      isFailing = false
    },
    failed ({ id, type }, reason, dueAt) {
      metrics.eventFailed()
      // Of a receiver that is down, one line is enough.
      app.log[isFailing ? 'debug' : 'warn']({ event: id, type, dueAt }, `The webhook did not take an event: ${reason}. It is tried again.`)
      isFailing = true
    },
    gaveUp ({ id, type }, reason) {
      metrics.eventFailed()
      app.log.error({ event: id, type }, `The webhook did not take an event for three days: ${reason}. It is given up; "upload-gateway events retry" sends it again.`)
    },
    troubled: (error) => app.log.error({ err: error }, 'The events for the webhook cannot be looked up or marked; it is tried again.'),
  }

  const sender = createSender({ outbox, witness, now, send: createWebhook({ ...webhook, now }), isAllowed: coordination.leads })
  events.onTold(() => {
    if (coordination.leads()) sender.look()
    else coordination.tell('told', '')
  })
  coordination.hear('told', sender.look)
  coordination.onLead(sender.look)
  app.doNowAndThen({ name: 'deadEvents', everyMs: forgetEveryMs, run: () => outbox.forget(oldestKept()) })
  const timer = setInterval(sender.look, lookEveryMs)
  app.addHook('onReady', async () => sender.look())
  app.addHook('onClose', async () => {
    clearInterval(timer)
    await sender.stop()
  })
}, { name: 'delivery', fastify: '5.x', dependencies: ['storage', 'upkeep', 'erasures'] })
