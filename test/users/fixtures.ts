// A gateway with users who have uploads, for tests of what concerns all of one user's.
import { join } from 'node:path'
import { readdir, readFile } from 'node:fs/promises'
import type { Test } from 'tap'
import type { AppOptions } from '../../src/app.ts'
import { build, multipart, picture, type Gateway } from '../helper.ts'

export async function withUploads (t: Test, settings: Record<string, string> = {}, options: AppOptions = {}) {
  const gateway = await build(t, settings, options)
  return { ...gateway, ...clientOf(gateway) }
}

export function clientOf ({ app, as, folder }: Gateway) {
  return {
    async attach (user: string, filename: string, { bytes = `of ${user}`, more = [] as Array<[string, string]>, headers = {} } = {}) {
      const body = await multipart([...more, ['file', { bytes, filename }]])
      return app.inject({ method: 'POST', url: '/api/attachments', headers: { ...body.headers, ...headers['authorization' as never] === undefined ? await as(user) : {}, ...headers }, payload: body.payload })
    },
    async setAvatar (user: string, seed: number) {
      return app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { 'content-type': 'image/png', ...await as(user) }, payload: await picture('png', { seed }) })
    },
    erase: async (user: string) => app.inject({ method: 'DELETE', url: `/api/users/${user}/uploads`, headers: await as('root', 'uploads:admin') }),
    /** Every file of the volume, the database too, that has these bytes in it. */
    filesWith: (text: string) => filesWith(folder, text),
  }
}

export async function filesWith (folder: string, text: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  // One that is removed meanwhile has nothing in it.
  const bytesOf = (path: string) => readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    return ''
  })
  const found = await Promise.all(paths.map(async (path) => path.includes(text) || (await bytesOf(path)).includes(text)))
  return paths.filter((_, index) => found[index]).map((path) => path.slice(folder.length + 1)).sort()
}
