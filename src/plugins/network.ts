// Which network a request comes from, for limits that are counted by it.
import { isIPv6 } from 'node:net'

/** An IPv6 address counts as its /64: one household has them all. */
export function networkOf (ip: string): string {
  if (!isIPv6(ip)) return ip
  const [head = '', tail] = ip.replace(/%.*/, '').split('::')
  const groups = (part: string) => part === '' ? [] : part.split(':')
  const embedded = /(?<=^::(?:ffff:)?)[\d.]{7,}$/i.exec(ip)?.[0]
  if (embedded !== undefined) return embedded
  const zeros = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length
  return [...groups(head), ...Array<string>(Math.max(zeros, 0)).fill('0'), ...groups(tail ?? '')]
    .slice(0, 4).map((group) => parseInt(group, 16).toString(16)).join(':')
}
