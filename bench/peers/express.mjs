// Express with multer, and pictures as base64 text in PostgreSQL: what a service did that the gateway replaces.
import express from 'express'
import multer from 'multer'
import { randomUUID } from 'node:crypto'
import process from 'node:process'
import pg from 'pg'

const { PORT, DATABASE } = process.env
const pool = new pg.Pool({ connectionString: DATABASE, max: 10 })
await pool.query('CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, avatar_data TEXT, avatar_content_type TEXT)')
const upload = multer({ storage: multer.memoryStorage(), limits: { fileSize: 5 * 1024 ** 2 } })

express()
  .get('/', (_request, response) => response.end())
  .post('/upload', upload.single('file'), async (request, response) => {
    const id = randomUUID()
    await pool.query('INSERT INTO users (id, avatar_data, avatar_content_type) VALUES ($1, $2, $3)', [id, request.file.buffer.toString('base64'), request.file.mimetype])
    response.status(201).json({ id })
  })
  .get('/avatars/:id', async (request, response) => {
    const { rows: [user] } = await pool.query('SELECT avatar_data, avatar_content_type FROM users WHERE id = $1', [request.params.id])
    if (user === undefined) return response.status(404).end()
    response.set('Content-Type', user.avatar_content_type).send(Buffer.from(user.avatar_data, 'base64'))
  })
  .listen(Number(PORT), '127.0.0.1')
