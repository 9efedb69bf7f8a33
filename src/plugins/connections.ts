// How many connections are taken at once: so many that a file can still be opened for each.
import { readFileSync } from 'node:fs'
import fastifyPlugin from 'fastify-plugin'

/** For the database, the log, staging, and what libraries open. */
const ownDescriptors = 128

/** A connection and the file it reads or writes. */
const descriptorsEach = 2

/** Undefined where proc(5) does not say how many descriptors there are: no limit then. */
export function connectionLimit (limits: string | undefined): number | undefined {
  const soft = /^Max open files\s+(\d+)/m.exec(limits ?? '')?.[1]
  return soft === undefined ? undefined : Math.max(16, Math.floor((Number(soft) - ownDescriptors) / descriptorsEach))
}

/** Out of descriptors, even reading a file that is there fails; a connection too many is closed by Node instead. */
export const connections = fastifyPlugin(async (app, { limitsFile = '/proc/self/limits' }: { limitsFile?: string }) => {
  const limit = connectionLimit(readIfThere(limitsFile))
  if (limit === undefined) return
  app.server.maxConnections = limit
  app.server.on('drop', () => app.log.debug({ limit }, 'A connection was closed at once: there are as many as descriptors allow.'))
}, { name: 'connections', fastify: '5.x' })

function readIfThere (path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
