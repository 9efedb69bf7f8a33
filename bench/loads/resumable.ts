// A resumable upload in large pieces, one after the other (tus 1.0).
import { randomFillSync } from 'node:crypto'
import { glob, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../../test/system/client.ts'
import { bearer } from '../../test/system/gateway.ts'
import { gateway, transferring, type Load } from '../kit/bench.ts'
import { curl, headerArgs } from '../kit/curl.ts'
import { serveGateway, servePeer, type Server } from '../kit/servers.ts'

const chunkMegabytes = 64
const chunks = 8
const chunkBytes = chunkMegabytes * 1024 ** 2
const tus = { 'Tus-Resumable': '1.0.0' }

export const resumable: Load = {
  id: 'resumable',
  title: `Resumable upload of ${chunkMegabytes * chunks} MB in PATCHes of ${chunkMegabytes} MiB`,
  unit: 'MB',
  async prepare ({ folder, started }) {
    const piece = randomFillSync(Buffer.alloc(chunkBytes))
    const file = join(folder, 'piece')
    await writeFile(file, piece)
    const own = started(await serveGateway(join(folder, 'volume'), { ATTACHMENT_MAX_BYTES: String(2 * 1024 ** 3) }))
    const peer = started(await servePeer('tus', join(folder, 'tus')))

    async function send ({ url }: Server, path: string, given: Record<string, string>): Promise<string> {
      const created = await fetch(url + path, { method: 'POST', headers: { ...tus, ...given, 'Upload-Length': String(chunkBytes * chunks), 'Upload-Metadata': `filename ${btoa('large.bin')}` } })
      if (created.status !== 201) throw new Error(`The creation was answered with ${created.status}: ${await created.text()}`)
      const location = new URL(created.headers.get('location') ?? '', url).href
      let headers = ''
      for (let chunk = 0; chunk < chunks; chunk += 1) {
        headers = await curl(...headerArgs({ ...tus, ...given, 'Upload-Offset': String(chunk * chunkBytes), 'Content-Type': 'application/offset+octet-stream' }), '--dump-header', '-', '--output', '/dev/null', '--request', 'PATCH', '--upload-file', file, location)
      }
      if (!headers.toLowerCase().includes(`upload-offset: ${chunkBytes * chunks}\r\n`)) throw new Error(`The last PATCH was answered with: ${headers}`)
      return headers
    }

    const whole = sha256(Buffer.concat(Array.from({ length: chunks }, () => piece)))
    const headers = await bearer('ada')
    await send(own, '/api/resumable', headers)
    const { attachments: [kept] } = await (await fetch(`${own.url}/api/attachments`, { headers })).json() as { attachments: { sha256: string }[] }
    if (kept?.sha256 !== whole) throw new Error('Other bytes were kept.')
    const removing = ({ name, measure }: ReturnType<typeof transferring>) => ({
      name,
      async measure () {
        const sample = await measure()
        for (const pattern of ['tus/*', 'volume/attachments/*/*/*/*']) for await (const path of glob(pattern, { cwd: folder })) await rm(join(folder, path))
        return sample
      },
    })
    return {
      sides: [
        transferring(gateway, own, chunkMegabytes * chunks, () => send(own, '/api/resumable', headers)),
        transferring('@tus/server, files', peer, chunkMegabytes * chunks, () => send(peer, '/files', {})),
      ].map(removing),
      goals: [{ of: gateway, to: '@tus/server, files', atLeast: 1.3 }],
    }
  },
}
