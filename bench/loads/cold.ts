// Small files that no cache holds: many more than fit, each asked for now and then.
import { randomBytes } from 'node:crypto'
import { glob } from 'node:fs/promises'
import { join } from 'node:path'
import pLimit from 'p-limit'
import { sha256 } from '../../test/system/client.ts'
import { asking, gateway, nginx, type Load } from '../kit/bench.ts'
import { serveGateway, serveNginx } from '../kit/servers.ts'
import { attach } from '../kit/uploads.ts'

const connections = 32
const bytes = 50_000
/** A gigabyte: all of it fits into the page cache, and none of the gateway's caches. */
const count = 20_000

export const cold: Load = {
  id: 'cold',
  title: `${count} files of ${bytes / 1000} KB at random, ${connections} connections`,
  unit: 'requests',
  async prepare (surroundings) {
    const { folder, started } = surroundings
    const volume = join(folder, 'volume')
    const own = started(await serveGateway(volume))
    const uploaded = await pLimit(32).map(Array.from({ length: count }), async () => {
      const file = randomBytes(bytes)
      return { path: await attach(own.url, 'ada', file, 'public'), hash: sha256(file) }
    })
    // The very files that the gateway has.
    const files = started(await serveNginx(volume, join(folder, 'nginx')))
    const paths: string[] = []
    for await (const path of glob('attachments/*/*/*/*', { cwd: volume })) if (!path.endsWith('.json')) paths.push(`/${path}`)
    if (paths.length !== count) throw new Error(`There are ${paths.length} files.`)
    for (const { path, hash } of uploaded.slice(0, 100)) {
      if (sha256(Buffer.from(await (await fetch(own.url + path)).arrayBuffer())) !== hash) throw new Error(`${path} has other bytes.`)
    }
    return {
      sides: [
        await asking(surroundings, gateway, own, { requests: uploaded.map(({ path }) => ({ path })), connections }),
        await asking(surroundings, nginx, files, { requests: paths.map((path) => ({ path })), connections }),
      ],
      goals: [{ of: gateway, to: nginx, atLeast: 0.3 }],
    }
  },
}
