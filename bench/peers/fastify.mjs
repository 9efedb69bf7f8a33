// Fastify with its own plugins as their READMEs use them: files of a folder, and uploads piped into files, without fsync or database.
import fastifyMultipart from '@fastify/multipart'
import fastifyStatic from '@fastify/static'
import Fastify from 'fastify'
import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { pipeline } from 'node:stream/promises'

const { PORT, FOLDER, SERVED } = process.env
const app = Fastify({ logger: process.env.LOGGED === 'true', bodyLimit: 2 * 1024 ** 3, requestTimeout: 0 })
await app.register(fastifyMultipart, { limits: { fileSize: 2 * 1024 ** 3 } })
if (SERVED) await app.register(fastifyStatic, { root: SERVED, prefix: '/files/' })
const kept = join(FOLDER, 'kept')
await mkdir(kept, { recursive: true })

app.get('/', () => ({ hello: 'world' }))

app.post('/upload', async (request, reply) => {
  const part = await request.file()
  const id = randomUUID()
  await pipeline(part.file, createWriteStream(join(kept, id)))
  return reply.code(201).send({ id })
})

await app.listen({ port: Number(PORT), host: '127.0.0.1' })
