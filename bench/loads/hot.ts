// Small pictures that are asked for again and again.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bearer } from '../../test/system/gateway.ts'
import { asking, gateway, nginx, supabase, type Goal, type Load, type Prepared, type Surroundings } from '../kit/bench.ts'
import { expectBytes } from '../kit/curl.ts'
import { picture } from '../kit/pictures.ts'
import { serveGateway, serveNginx, servePeer, servePostgres, type Server } from '../kit/servers.ts'
import { serveSupabase } from '../kit/supabase.ts'
import { attach, setAvatar } from '../kit/uploads.ts'

const connections = 32
const bytes = 50_000

async function served (folder: string, file: Buffer, name = 'picture.jpg') {
  await writeFile(join(folder, name), file)
  return serveNginx(folder, join(folder, 'nginx'))
}

export const hotAvatar: Load = {
  id: 'avatar',
  title: `Hot avatar, ${bytes / 1000} KB, ${connections} connections`,
  unit: 'requests',
  async prepare (surroundings) {
    const { folder, started, teardown } = surroundings
    const file = await picture(bytes)
    const own = started(await serveGateway(join(folder, 'volume')))
    await setAvatar(own.url, 'ada', file)
    const files = started(await served(folder, file))
    const plain = started(await servePeer('fastify', join(folder, 'fastify'), { SERVED: folder, LOGGED: 'true' }))
    const floor = started(await servePeer('floor', join(folder, 'floor'), { SERVED: join(folder, 'picture.jpg') }))
    const database = await servePostgres(teardown)
    const express = started(await servePeer('express', join(folder, 'express'), { DATABASE: await database.create('pictures') }))
    const form = new FormData()
    form.append('file', new Blob([file], { type: 'image/jpeg' }), 'picture.jpg')
    const { id } = await (await fetch(`${express.url}/upload`, { method: 'POST', body: form })).json() as { id: string }
    const base64 = 'Express, base64 in PostgreSQL'
    const compared: Array<readonly [string, Server, string]> = [[gateway, own, '/api/avatars/ada'], [nginx, files, '/picture.jpg'], ['Fastify, @fastify/static', plain, '/files/picture.jpg'], [base64, express, `/avatars/${id}`], ['Node, bytes in memory', floor, '/picture']]
    const goals: Goal[] = [{ of: gateway, to: nginx, atLeast: 1.3 }, { of: gateway, to: base64, atLeast: 8 }]
    if (surroundings.supabase !== undefined) {
      const { server, headers, sendTo, publicPath } = await serveSupabase(surroundings.supabase, join(folder, 'supabase'), await database.create('supabase'))
      started(server)
      await fetch(server.url + sendTo('picture.jpg'), { method: 'POST', headers, body: form })
      compared.push([supabase, server, publicPath('picture.jpg')])
      goals.push({ of: gateway, to: supabase, atLeast: 30 })
    }
    for (const [, { url }, path] of compared) await expectBytes(url + path, file)
    const sides = await Promise.all(compared.map(([name, server, path]) => asking(surroundings, name, server, { requests: [{ path }], connections }, [base64, supabase].includes(name) ? [database] : [])))
    return { sides, goals, ...(surroundings.supabase === undefined && { leftOut: supabase }) }
  },
}

export const unchanged: Load = {
  id: '304',
  title: `Hot avatar that has not changed: 304, ${connections} connections`,
  unit: 'requests',
  async prepare (surroundings) {
    const { folder, started } = surroundings
    const file = await picture(bytes)
    const own = started(await serveGateway(join(folder, 'volume')))
    await setAvatar(own.url, 'ada', file)
    const files = started(await served(folder, file))
    const compared = [[gateway, own, '/api/avatars/ada'], [nginx, files, '/picture.jpg']] as const
    const sides = await Promise.all(compared.map(async ([name, server, path]) => {
      const headers = { 'If-None-Match': (await fetch(server.url + path)).headers.get('etag') ?? '' }
      const { status } = await fetch(server.url + path, { headers })
      if (status !== 304) throw new Error(`${name} answered with ${status} instead of 304.`)
      return asking(surroundings, name, server, { requests: [{ path, headers }], connections })
    }))
    return { sides, goals: [{ of: gateway, to: nginx, atLeast: 1 }] }
  },
}

export const hotVariant: Load = {
  id: 'variant',
  title: `Hot variant of an avatar, ?size=64, ${connections} connections`,
  unit: 'requests',
  async prepare (surroundings) {
    const { folder, started } = surroundings
    const own = started(await serveGateway(join(folder, 'volume')))
    await setAvatar(own.url, 'ada', await picture(bytes))
    const path = '/api/avatars/ada?size=64'
    const variant = Buffer.from(await (await fetch(own.url + path)).arrayBuffer())
    const files = started(await served(folder, variant))
    const plain = started(await servePeer('fastify', join(folder, 'fastify')))
    await expectBytes(own.url + path, variant)
    await expectBytes(`${files.url}/picture.jpg`, variant)
    const hello = 'Fastify, "hello world"'
    const sides = await Promise.all(([[gateway, own, path], [nginx, files, '/picture.jpg'], [hello, plain, '/']] as const).map(([name, server, path]) => asking(surroundings, name, server, { requests: [{ path }], connections })))
    return { sides, goals: [{ of: gateway, to: nginx, atLeast: 0.4 }, { of: gateway, to: hello, atLeast: 0.85 }] }
  },
}

export const privateAttachment: Load = {
  id: 'private',
  title: `Hot private attachment with a token, ${bytes / 1000} KB, ${connections} connections`,
  unit: 'requests',
  async prepare (surroundings: Surroundings): Promise<Prepared> {
    const { folder, started } = surroundings
    const own = started(await serveGateway(join(folder, 'volume')))
    const file = await picture(bytes)
    const path = await attach(own.url, 'ada', file)
    await setAvatar(own.url, 'ada', file)
    const headers = await bearer('ada')
    await expectBytes(own.url + path, file, headers)
    const { status } = await fetch(own.url + path)
    if (status !== 404) throw new Error(`Without a token the answer was ${status}.`)
    const avatar = `${gateway}, avatar`
    const sides = [await asking(surroundings, gateway, own, { requests: [{ path, headers }], connections }), await asking(surroundings, avatar, own, { requests: [{ path: '/api/avatars/ada' }], connections })]
    return { sides, goals: [{ of: gateway, to: avatar, atLeast: 0.6 }] }
  },
}
