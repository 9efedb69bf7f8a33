// The types of src/client/api.ts, made from the gateway's own description. `npm run client:types` writes them anew; a test compares.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import openapiTypescript, { astToString } from 'openapi-typescript'
import { buildApp } from '../../src/app.ts'
import { readConfig } from '../../src/config.ts'

export const apiFile = resolve(import.meta.dirname, '../../src/client/api.ts')

const heading = `// The shapes of what the client calls, as /openapi.json describes it. Made by \`npm run client:types\`: what is changed here by hand is lost.
/* eslint-disable */
`

type Document = { openapi: string, info: { title: string, version: string }, webhooks: object, paths: Record<string, Record<string, { responses: Record<string, object> }>> }

const called = /^\/api\/(attachments|avatars|limits|media-session|resumable|usage)(\/|$)/

/** What the client calls, without the refusals, which are all the same Problem, and what the gateway sends by itself. */
function partOf ({ paths, webhooks: _, ...document }: Document): Omit<Document, 'webhooks'> {
  const kept = Object.entries(structuredClone(paths)).filter(([path]) => called.test(path))
  for (const { responses } of kept.flatMap(([, methods]) => Object.values(methods))) {
    for (const status of Object.keys(responses)) if (!/^[123]/.test(status)) delete responses[status]
  }
  return { ...document, paths: Object.fromEntries(kept) }
}

/** The text of api.ts, as the gateway in this tree describes itself. */
export async function apiTypes (): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'upload-gateway-'))
  try {
    const app = await buildApp(readConfig({ LOG_LEVEL: 'silent', DISK_RESERVE: '0', UPLOADS_DIR: folder }))
    const document = (await app.inject('/openapi.json')).json<Document>()
    await app.close()
    return heading + astToString(await openapiTypescript(JSON.stringify(partOf(document)), { alphabetize: true }))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

if (import.meta.main) await writeFile(apiFile, await apiTypes())
