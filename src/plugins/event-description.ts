// How the messages to the webhook stand in the description of the API. What is told is the business of who tells it, and sending it that of events.
import { Type, type TSchema } from 'typebox'
import type { EventType } from '../records/events.ts'

export type EventDescription = {
  readonly summary: string
  readonly data: TSchema
}

const header = (name: string, description: string) => ({ in: 'header', name, required: true, description, schema: { type: 'string' } })

const parameters = [
  header('webhook-id', 'The id of the event: the same however often it is sent.'),
  header('webhook-timestamp', 'When it was sent, in seconds since 1970.'),
  header('webhook-signature', 'v1 and the HMAC-SHA-256 in base64, by each of WEBHOOK_SECRET, separated by spaces; see standardwebhooks.com.'),
]

const responses = {
  '2XX': { description: 'It is taken.' },
  default: { description: 'It is not, also when there is no answer within 10 seconds: it is sent again later, and what comes after it for the same owner waits. Redirects are not followed.' },
}

/** The `webhooks` of OpenAPI 3.1 (section 4.8.1), by type of event. */
export function describeEvents (told: Readonly<Record<EventType, EventDescription>>): Record<string, object> {
  return Object.fromEntries(Object.entries(told).map(([type, { summary, data }]) => [type, {
    post: {
      tags: ['events'],
      summary,
      parameters,
      requestBody: { required: true, content: { 'application/json': { schema: messageOf(type, data) } } },
      responses,
    },
  }]))
}

const messageOf = (type: string, data: TSchema): TSchema => Type.Object({
  id: Type.String({ description: 'It may come twice: then with the same id.' }),
  type: Type.Literal(type),
  occurredAt: Type.String({ format: 'date-time' }),
  ownerId: Type.String({ description: 'Whose file it is. What happens to the files of one owner comes in order.' }),
  data,
})
