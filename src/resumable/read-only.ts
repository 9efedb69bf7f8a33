// Resumable uploads while READ_ONLY=true: where they stand is told, and nothing goes on, ends or is finished.
import type { Engine } from './engine.ts'
import { failureError, notYet } from './failure.ts'

export function standingStill (engine: Engine): Engine {
  return {
    ...engine,
    async resume (caller, id) {
      const upload = await engine.look(caller, id)
      if (upload.failure !== undefined) throw failureError(upload.failure)
      // Not a 503, on which tus clients would begin anew.
      if (upload.state === 'finishing') throw notYet('nothing is changed here for now')
      return upload
    },
    finishDue: async () => 0,
    upkeep: async () => 0,
  }
}
