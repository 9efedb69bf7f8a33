// What /openapi.json says of the messages to the webhook, held against those that are sent.
import { Ajv2020 } from 'ajv/dist/2020.js'
import ajvFormats from 'ajv-formats'
import { test } from 'tap'
import { toldGateway, idOf } from '../events/fixtures/told.ts'

type Schema = { type?: string, properties?: Record<string, Schema>, additionalProperties?: false }
type Described = Record<string, { post: { parameters: Array<{ name: string }>, requestBody: { content: { 'application/json': { schema: Schema } } } } }>

/** Nothing in a message is left undescribed. */
function closed (schema: Schema): Schema {
  if (schema.properties === undefined) return schema
  return { ...schema, properties: Object.fromEntries(Object.entries(schema.properties).map(([name, one]) => [name, closed(one)])), additionalProperties: false }
}

test('each message is described, and is as it is described', async (t) => {
  const { app, attach, setAvatar, send, as, erase, receiver } = await toldGateway(t)
  const { webhooks } = (await app.inject('/openapi.json')).json<{ webhooks: Described }>()
  const id = idOf(await attach('ada', 'notes.txt', { more: [['contextType', 'message'], ['contextId', '7'], ['readers', 'bob']] }))
  await send('ada', 'PATCH', `/api/attachments/${id}`, { alt: 'words', readers: [], expiresAt: '2030-01-01T00:00:00Z' })
  await send('ada', 'DELETE', `/api/attachments/${id}`)
  await app.inject({ method: 'POST', url: `/api/attachments/${id}/restore`, headers: await as('ops', 'uploads:admin') })
  const { version } = (await setAvatar('ada', 1)).json()
  await setAvatar('ada', 2)
  await send('ada', 'POST', `/api/avatars/me/versions/${version}/restore`)
  await send('ada', 'DELETE', '/api/avatars/me')
  await receiver.until(8)
  await erase('ada')
  const told = await receiver.until(11)
  t.strictSame([...new Set(told.map(({ type }) => type))].sort(), Object.keys(webhooks).sort())
  const ajv = ajvFormats.default(new Ajv2020({ strict: false }))
  for (const message of told) {
    const { content } = webhooks[message.type]?.post.requestBody ?? {}
    const isAsDescribed = ajv.compile(closed(content?.['application/json'].schema ?? {}))
    t.ok(isAsDescribed(message), message.type, { found: isAsDescribed.errors })
  }
  for (const { post } of Object.values(webhooks)) for (const { name } of post.parameters) t.type(receiver.got[0]?.headers[name], 'string', name)
})
