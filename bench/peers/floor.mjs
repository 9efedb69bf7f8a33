// Node's own floor: what no server in Node can be faster than. Nothing is parsed, checked or recorded.
import { createReadStream, readFileSync } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import process from 'node:process'
import { pipeline } from 'node:stream'

const { PORT, FOLDER, SERVED, BIG } = process.env
const picture = SERVED && readFileSync(SERVED)
const kept = join(FOLDER, 'kept')
await mkdir(kept, { recursive: true })
const directory = await open(kept)
let count = 0

/** One that is whole and durable: its bytes, and beside it what is said of them. */
async function keep (body) {
  const name = join(kept, String(count++))
  const write = async (path, bytes) => {
    const file = await open(path, 'wx')
    await file.writeFile(bytes)
    await file.datasync()
    await file.close()
  }
  await Promise.all([write(name, body), write(`${name}.json`, '{"size":50000}')])
  await directory.sync()
}

createServer((request, response) => {
  if (request.url === '/picture') return response.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': picture.length }).end(picture)
  if (request.url === '/big') return pipeline(createReadStream(BIG, { highWaterMark: 1024 ** 2 }), response, () => {})
  if (request.method !== 'POST') return response.end()
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
    keep(Buffer.concat(chunks)).then(() => response.writeHead(201).end(), (error) => { throw error })
  })
}).listen(Number(PORT), '127.0.0.1')
