// One running process as others on the same volume see it: what its heartbeat says, and whether it is still alive.
import { readFileSync, readlinkSync } from 'node:fs'
import { pid } from 'node:process'
import { Type, type Static } from 'typebox'
import { Check } from 'typebox/schema'

const HeartbeatSchema = Type.Object({
  pid: Type.Integer(),
  /** Boot and process namespace: only within the same of both does a pid mean anything. Empty where there is no /proc. */
  world: Type.String(),
  /** In clock ticks since boot, so that a reused pid is not taken for the process. */
  startedAt: Type.String(),
  beat: Type.Integer(),
  /** What it does there, for people: "gateway" when absent. */
  work: Type.Optional(Type.String()),
  /** Nothing else may run on this volume meanwhile, as while its database is made anew. */
  isExclusive: Type.Optional(Type.Boolean()),
  /** The inode of the folder it was written in, so that a copy of the volume is not taken for the one where the process lives. */
  inode: Type.Optional(Type.Number()),
  /** Of a gateway: which database it has. */
  database: Type.Optional(Type.String()),
})

export type Heartbeat = Static<typeof HeartbeatSchema>

export type Role = Required<Pick<Heartbeat, 'work' | 'isExclusive'>>

export const gatewayRole: Role = { work: 'gateway', isExclusive: false }

/** With READ_ONLY=true. */
export const readerRole: Role = { work: 'gateway (read-only)', isExclusive: false }

/** Alone but for such gateways, which go on meanwhile. */
export const copyRole: Role = { work: 'database copy', isExclusive: true }

/** Whether the two may not be at work on one volume at once. */
export function excludes (one: Role, other: Role): boolean {
  const works = [one.work, other.work]
  return (one.isExclusive || other.isExclusive) && !(works.includes(copyRole.work) && works.includes(readerRole.work))
}

/** This process, before its first beat. `proc`: where proc(5) is mounted. */
export function ownHeartbeat (role: Role = gatewayRole, proc = '/proc'): Heartbeat {
  return { pid, world: ownWorld(proc), startedAt: startOf(proc, pid) ?? '', beat: 0, ...role }
}

export function parseHeartbeat (text: string): Heartbeat | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return Check(HeartbeatSchema, value) ? value : undefined
  } catch {
    return undefined
  }
}

/** What the process table says; undefined when the process belongs to another host, boot or container. */
export function isRunning (heartbeat: Heartbeat, proc = '/proc'): boolean | undefined {
  if (heartbeat.world === '' || heartbeat.startedAt === '' || heartbeat.world !== ownWorld(proc)) return undefined
  return startOf(proc, heartbeat.pid) === heartbeat.startedAt
}

function ownWorld (proc: string): string {
  try {
    return `${readFileSync(`${proc}/sys/kernel/random/boot_id`, 'utf8').trim()} ${readlinkSync(`${proc}/self/ns/pid`)}`
  } catch {
    return ''
  }
}

/** Field 22 of proc(5)'s stat; the name in field 2 may hold spaces and parentheses. A zombie no longer runs. */
function startOf (proc: string, id: number): string | undefined {
  try {
    const stat = readFileSync(`${proc}/${id}/stat`, 'utf8')
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return state === 'Z' || state === 'X' ? undefined : fields[18]
  } catch {
    return undefined
  }
}
