// Who is told of the bytes of a body as they come. Counts nothing itself.
import type { IncomingMessage } from 'node:http'

/** Hears how many bytes came. Returns why the body goes no further, undefined when it does. */
export type Meter = (bytes: number) => Error | undefined

const meters = new WeakMap<IncomingMessage, Meter>()

/** From now on `meter` hears of what is read of this body. */
export function meterBody (body: IncomingMessage, meter: Meter): void {
  meters.set(body, meter)
}

/** For whoever reads it: undefined when nobody wants to know. */
export const meterOf = (body: IncomingMessage): Meter | undefined => meters.get(body)
