// @tus/server with its store of files, as its README starts it.
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'
import { mkdir } from 'node:fs/promises'
import process from 'node:process'

const { PORT, FOLDER } = process.env
await mkdir(FOLDER, { recursive: true })
new Server({ path: '/files', datastore: new FileStore({ directory: FOLDER }) }).listen({ host: '127.0.0.1', port: Number(PORT) })
