// Small uploads as forms, many at once.
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { attachmentIn, sha256 } from '../../test/system/client.ts'
import { bearer } from '../../test/system/gateway.ts'
import { asking, gateway, supabase, type Goal, type Load } from '../kit/bench.ts'
import { expectBytes } from '../kit/curl.ts'
import { serveGateway, servePeer, servePostgres } from '../kit/servers.ts'
import { serveSupabase } from '../kit/supabase.ts'

const connections = 16
const bytes = 50_000

export const smallUploads: Load = {
  id: 'upload',
  title: `Uploads of ${bytes / 1000} KB as forms, ${connections} connections; the gateway's, the writer's and PostgreSQL's survive a power cut`,
  unit: 'requests',
  async prepare (surroundings) {
    const { folder, started, teardown } = surroundings
    const file = randomBytes(bytes)
    const boundary = '----bench'
    const body = join(folder, 'form')
    await writeFile(body, Buffer.concat([Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="picture.bin"\r\nContent-Type: application/octet-stream\r\n\r\n`), file, Buffer.from(`\r\n--${boundary}--\r\n`)]))
    const form = { 'Content-Type': `multipart/form-data; boundary=${boundary}` }
    const post = (path: string, headers: Readonly<Record<string, string>> = {}, isNumbered = false) => ({ requests: [{ path, method: 'POST', headers: { ...form, ...headers }, body, isNumbered }], connections })

    const own = started(await serveGateway(join(folder, 'volume')))
    const headers = await bearer('ada')
    const sent = new FormData()
    sent.append('file', new Blob([file]), 'picture.bin')
    const answer = await fetch(`${own.url}/api/attachments`, { method: 'POST', headers, body: sent })
    const { url } = attachmentIn({ status: answer.status, headers: {}, body: Buffer.from(await answer.arrayBuffer()) })
    await expectBytes(own.url + url, file, headers)

    const floor = started(await servePeer('floor', join(folder, 'floor')))
    const plain = started(await servePeer('fastify', join(folder, 'fastify'), { LOGGED: 'true' }))
    const database = await servePostgres(teardown)
    const express = started(await servePeer('express', join(folder, 'express'), { DATABASE: await database.create('pictures') }))
    const writer = 'Node, two files and a folder synced'
    const base64 = 'Express, base64 in PostgreSQL'
    const goals: Goal[] = [{ of: gateway, to: writer, atLeast: 0.5 }, { of: gateway, to: base64, atLeast: 1 }]
    const others = []
    if (surroundings.supabase !== undefined) {
      const { server, headers, sendTo, publicPath } = await serveSupabase(surroundings.supabase, join(folder, 'supabase'), await database.create('supabase'))
      started(server)
      await fetch(server.url + sendTo('picture.bin'), { method: 'POST', headers, body: sent })
      await expectBytes(server.url + publicPath('picture.bin'), file)
      others.push(await asking(surroundings, supabase, server, post(sendTo(''), headers, true), [database]))
      goals.push({ of: gateway, to: supabase, atLeast: 2 })
    }
    const side = await asking(surroundings, gateway, own, post('/api/attachments', headers))
    return {
      sides: [
        {
          name: side.name,
          async measure () {
            const sample = await side.measure()
            // Each that was answered is there, and what came last is whole.
            const { attachments } = await (await fetch(`${own.url}/api/attachments?limit=1`, { headers })).json() as { attachments: [{ sha256: string, url: string }] }
            if (attachments[0].sha256 !== sha256(file)) throw new Error('Other bytes were kept.')
            await expectBytes(own.url + attachments[0].url, file, headers)
            return sample
          },
        },
        await asking(surroundings, writer, floor, post('/')),
        await asking(surroundings, 'Fastify, pipeline to a file', plain, post('/upload')),
        await asking(surroundings, base64, express, post('/upload'), [database]),
        ...others,
      ],
      goals,
      ...(surroundings.supabase === undefined && { leftOut: supabase }),
    }
  },
}
