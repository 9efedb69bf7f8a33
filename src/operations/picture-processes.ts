// The processes that decode pictures, as commands use them: nobody waits for one picture, and what a request would not wait for is done.
import type { Config } from '../config.ts'
import { createProcesses, usualProcesses, type Processes } from '../images/processes/pool.ts'

export type PictureConfig = Pick<Config, 'imageProcesses' | 'imageMemoryBytes'>

const maxWaiting = 64
const deadlineMs = 60_000
const waitMs = 30 * 60_000

export const jobsAtOnce = ({ imageProcesses }: PictureConfig): number => imageProcesses ?? usualProcesses()

/** None is started before there is work for it; all are ended after `use`. Of a job that is lost, its failure says it. */
export async function withProcesses<T> (config: PictureConfig, use: (processes: Pick<Processes, 'run'>) => Promise<T>): Promise<T> {
  const processes = createProcesses({ processes: jobsAtOnce(config), budgetBytes: config.imageMemoryBytes, maxWaiting, deadlineMs, waitMs, warn () {} })
  try {
    return await use(processes)
  } finally {
    await processes.close()
  }
}
