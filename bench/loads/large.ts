// Files of a gigabyte, one after the other.
import { randomFillSync, randomInt, randomUUID } from 'node:crypto'
import { glob, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { attachmentIn } from '../../test/system/client.ts'
import { bearer } from '../../test/system/gateway.ts'
import { asking, gateway, nginx, transferring, type Load, type Surroundings } from '../kit/bench.ts'
import { curl, headerArgs, sha256Of } from '../kit/curl.ts'
import { serveGateway, serveNginx, servePeer, type Server } from '../kit/servers.ts'

const megabytes = 1024
const settings = { ATTACHMENT_MAX_BYTES: String(2 * 1024 ** 3) }

async function largeFile (folder: string): Promise<string> {
  const path = join(folder, 'large.bin')
  const file = await open(path, 'wx')
  const chunk = Buffer.alloc(1024 ** 2)
  for (let written = 0; written < megabytes; written += 1) await file.write(randomFillSync(chunk))
  await file.close()
  return path
}

/** Sends the file as a form would, and gives back the path of its bytes. */
async function upload ({ url }: Server, file: string): Promise<string> {
  const answer = await curl(...headerArgs(await bearer('ada')), '--form', `file=@${file}`, `${url}/api/attachments`)
  return attachmentIn({ status: 201, headers: {}, body: Buffer.from(answer) }).url
}

async function holding ({ folder, started }: Surroundings): Promise<{ own: Server, path: string, file: string, headers: Record<string, string> }> {
  const file = await largeFile(folder)
  const own = started(await serveGateway(join(folder, 'volume'), settings))
  const path = await upload(own, file)
  const headers = await bearer('ada')
  const back = join(folder, 'back')
  await curl(...headerArgs(headers), '--output', back, own.url + path)
  if (await sha256Of(back) !== await sha256Of(file)) throw new Error('Other bytes came back.')
  await rm(back)
  return { own, path, file, headers }
}

export const download: Load = {
  id: 'download',
  title: `Download of ${megabytes} MB`,
  unit: 'MB',
  async prepare (surroundings) {
    const { folder, started } = surroundings
    const { own, path, file, headers } = await holding(surroundings)
    const files = started(await serveNginx(folder, join(folder, 'nginx')))
    const plain = started(await servePeer('fastify', join(folder, 'fastify'), { SERVED: folder }))
    const floor = started(await servePeer('floor', join(folder, 'floor'), { BIG: file }))
    const side = (name: string, server: Server, at: string, given: Record<string, string> = {}) => transferring(name, server, megabytes, () => curl(...headerArgs(given), '--output', '/dev/null', server.url + at))
    return {
      sides: [side(gateway, own, path, headers), side(nginx, files, '/large.bin'), side('Fastify, @fastify/static', plain, '/files/large.bin'), side('Node, reads of 1 MiB', floor, '/big')],
      goals: [{ of: gateway, to: nginx, atLeast: 0.9 }],
    }
  },
}

export const ranges: Load = {
  id: 'ranges',
  title: `Ranges of 4 KiB of a file of ${megabytes} MB, at random, 32 connections`,
  unit: 'requests',
  async prepare (surroundings) {
    const { folder, started } = surroundings
    const { own, path, headers } = await holding(surroundings)
    const files = started(await serveNginx(folder, join(folder, 'nginx')))
    const starts = Array.from({ length: 1000 }, () => randomInt(megabytes * 1024 ** 2 - 4096))
    const requests = (at: string, given: Record<string, string> = {}) => starts.map((start) => ({ path: at, headers: { ...given, Range: `bytes=${start}-${start + 4095}` } }))
    return {
      sides: [await asking(surroundings, gateway, own, { requests: requests(path, headers), connections: 32 }), await asking(surroundings, nginx, files, { requests: requests('/large.bin'), connections: 32 })],
      goals: [{ of: gateway, to: nginx, atLeast: 0.3 }],
    }
  },
}

export const largeUpload: Load = {
  id: 'upload-large',
  title: `Upload of ${megabytes} MB; the gateway hashes and syncs it, the others do neither`,
  unit: 'MB',
  async prepare (surroundings) {
    const { folder, started } = surroundings
    const file = await largeFile(folder)
    const own = started(await serveGateway(join(folder, 'volume'), settings))
    const dav = join(folder, 'nginx')
    const files = started(await serveNginx(folder, dav))
    const plain = started(await servePeer('fastify', join(folder, 'fastify')))
    const kept = await upload(own, file)
    const back = join(folder, 'back')
    await curl(...headerArgs(await bearer('ada')), '--output', back, own.url + kept)
    if (await sha256Of(back) !== await sha256Of(file)) throw new Error('Other bytes came back.')
    await rm(back)
    return {
      sides: [
        transferring(gateway, own, megabytes, () => upload(own, file)),
        transferring('nginx, DAV PUT', files, megabytes, () => curl('--upload-file', file, `${files.url}/put/${randomUUID()}`)),
        transferring('Fastify, pipeline to a file', plain, megabytes, () => curl('--form', `file=@${file}`, `${plain.url}/upload`)),
      ].map(({ name, measure }) => ({
        name,
        async measure () {
          const sample = await measure()
          // Disks are finite, and what is not written yet is not for the next to wait for.
          for (const pattern of ['nginx/put/*', 'fastify/kept/*', 'volume/attachments/*/*/*/*']) for await (const path of glob(pattern, { cwd: folder })) await rm(join(folder, path))
          return sample
        },
      })),
      goals: [{ of: gateway, to: 'nginx, DAV PUT', atLeast: 1 }],
    }
  },
}
