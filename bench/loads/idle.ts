// A gateway that nobody asks for anything.
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { gateway, type Load } from '../kit/bench.ts'
import { serveGateway } from '../kit/servers.ts'
import { using } from '../kit/usage.ts'

const restMs = 5000

export const idle: Load = {
  id: 'idle',
  title: `Start until ready, and ${restMs / 1000} seconds of rest`,
  unit: 'starts',
  async prepare ({ folder }) {
    return {
      sides: [{
        name: gateway,
        async measure () {
          const server = await serveGateway(join(folder, 'volume'))
          try {
            await setTimeout(restMs)
            const { cpuMs, peakBytes } = await using([server], () => setTimeout(1000))
            return { perSecond: 1000 / server.startMs, p50Ms: server.startMs, cpuMs, peakBytes }
          } finally {
            await server.stop()
          }
        },
      }],
      goals: [{ of: gateway, atLeast: 1 }, { of: gateway, what: 'peakBytes', atMost: 150 * 1024 ** 2 }],
    }
  },
}
