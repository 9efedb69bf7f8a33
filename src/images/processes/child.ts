// The entry of a child process that does the jobs of pictures.
import { becomeChild, serve } from './serve.ts'

becomeChild()
// Only then what takes long to load: a signal to all processes of a service would end this one meanwhile.
const { jobs } = await import('../jobs.ts')
serve(jobs)
