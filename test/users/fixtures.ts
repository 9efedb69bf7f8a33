// A gateway with users who have uploads, for tests of what concerns all of one user's.
import { join } from 'node:path'
import { readFile } from 'node:fs/promises'
import type { Test } from 'tap'
import type { AppOptions } from '../../src/app.ts'
import { isPostgres } from '../../src/records/kind.ts'
import { filesBelow } from '../fixtures/files.ts'
import { isOnObjects } from '../fixtures/object-server.ts'
import { build, multipart, picture, type Gateway } from '../helper.ts'

export async function withUploads (t: Test, settings: Record<string, string> = {}, options: AppOptions = {}) {
  const gateway = await build(t, settings, options)
  return { ...gateway, ...clientOf(gateway) }
}

export function clientOf (gateway: Gateway) {
  const { app, as } = gateway
  return {
    async attach (user: string, filename: string, { bytes = `of ${user}`, more = [] as Array<[string, string]>, headers = {} } = {}) {
      const body = await multipart([...more, ['file', { bytes, filename }]])
      return app.inject({ method: 'POST', url: '/api/attachments', headers: { ...body.headers, ...headers['authorization' as never] === undefined ? await as(user) : {}, ...headers }, payload: body.payload })
    },
    async setAvatar (user: string, seed: number) {
      return app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { 'content-type': 'image/png', ...await as(user) }, payload: await picture('png', { seed }) })
    },
    erase: async (user: string) => app.inject({ method: 'DELETE', url: `/api/users/${user}/uploads`, headers: await as('root', 'uploads:admin') }),
    /** Every file of the volume, of its object store, and table of the database, that has these bytes in it. */
    filesWith: async (text: string) => [...await filesWith(gateway.folder, text), ...await objectsWith(gateway, text), ...await tablesWith(gateway, text)].sort(),
  }
}

async function objectsWith ({ files, read }: Gateway, text: string): Promise<string[]> {
  if (!isOnObjects) return []
  const found = await Promise.all((await files()).filter((path) => !path.startsWith('staging/')).map(async (path) => path.includes(text) || (await read(path)).includes(text) ? [path] : []))
  return found.flat()
}

/** SQLite's are in its file. */
async function tablesWith ({ app: { database: { client } } }: Gateway, text: string): Promise<string[]> {
  if (!isPostgres(client)) return []
  const tables = await client.$queryRawUnsafe<Array<{ name: string }>>("SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'")
  const found = await Promise.all(tables.map(async ({ name }) => {
    const rows = await client.$queryRawUnsafe<unknown[]>(`SELECT 1 FROM "${name}" AS "row" WHERE position($1 IN "row"::text) > 0 LIMIT 1`, text)
    return rows.length > 0 ? [`database/${name}`] : []
  }))
  return found.flat()
}

export async function filesWith (folder: string, text: string): Promise<string[]> {
  const paths = await filesBelow(folder)
  // One that is removed meanwhile has nothing in it.
  const bytesOf = (path: string) => readFile(join(folder, path)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    return ''
  })
  const found = await Promise.all(paths.map(async (path) => path.includes(text) || (await bytesOf(path)).includes(text)))
  return paths.filter((_, index) => found[index])
}
