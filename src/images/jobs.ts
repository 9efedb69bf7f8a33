// What can be asked about a picture, each question one job. They run in processes of their own, one at a time in each.
import { draw } from './draw.ts'
import { inspect } from './inspect.ts'
import { master } from './master.ts'
import { headerOf } from './open.ts'
import { plan } from './plan.ts'
import { render } from './render.ts'
import { isSameLook } from './same-look.ts'

/** Their errors have a code of IMAGE_INVALID, IMAGE_TOO_LARGE or METADATA_UNREADABLE; others are of the file system, or mistakes of ours. */
export const jobs = { header: headerOf, inspect, plan, isSameLook, master, render, draw }

export type Jobs = typeof jobs
