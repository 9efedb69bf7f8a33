import { test } from 'tap'
import { requireBlob } from '../../src/client/blob.ts'
import { createClient } from '../../src/client/client.ts'

const { attachments, avatars } = createClient({ baseUrl: 'http://localhost', fetch: async () => { throw new Error('nothing is to be asked') } })

test('what is no file is told as that, before anything is sent', async (t) => {
  const message = /File or Blob, such as input\.files\[0\]/
  for (const wrong of [undefined, null, 'report.pdf', Buffer.from('x'), new Uint8Array(1), [new Blob([])], new Response('x'), { size: 1, arrayBuffer: 1 }]) {
    await t.rejects(attachments.upload(wrong as unknown as Blob), { name: 'TypeError', message }, String(wrong))
    await t.rejects(avatars.set(wrong as unknown as Blob), { name: 'TypeError', message }, String(wrong))
  }
})

test('a file is what behaves as one, also that of another window', (t) => {
  for (const right of [new Blob([]), new File(['x'], 'x.txt'), { size: 1, arrayBuffer () {}, slice () {} }]) t.doesNotThrow(() => requireBlob(right))
  t.end()
})
