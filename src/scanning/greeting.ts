// One look at the scanner when the gateway starts: that it cannot be reached is better known before an upload is refused. Holds up nothing.
import fastifyPlugin from 'fastify-plugin'
import type { Clamd } from './clamd.ts'

const deadlineMs = 10_000

type Options = {
  readonly clamd: Pick<Clamd, 'version'>
  readonly failsOpen: boolean
  readonly warn: (error: unknown, message: string) => void
}

export const greetingScanner = fastifyPlugin(async (app, { clamd, failsOpen, warn }: Options) => {
  const over = new AbortController()
  let greeting: Promise<void> | undefined

  async function greet (): Promise<void> {
    try {
      await clamd.version(AbortSignal.any([over.signal, AbortSignal.timeout(deadlineMs)]))
    } catch (error) {
      if (over.signal.aborted) return
      warn(error, `The scanner at CLAMD_URL does not answer: uploads are ${failsOpen ? 'kept unscanned' : 'refused with 503'} until it does. Start clamd, or change CLAMD_URL; "upload-gateway doctor" says more.`)
    }
  }

  app.addHook('onReady', async () => { greeting = greet() })
  app.addHook('onClose', async () => {
    over.abort()
    await greeting
  })
}, { name: 'greeting-scanner', fastify: '5.x' })
