// How findings of a check are shown to people.
import type { Finding, Verification } from '../operations/finding.ts'
import { plain, size } from './terminal.ts'

/** One finding: which file, what is wrong, and what mends it. */
export const findingText = ({ problem, path, detail }: Finding, last: string): string => `${problem}  ${plain(path)}\n  ${plain(detail)}\n  ${plain(last)}`

export function verificationText ({ records, hashedFiles, hashedBytes, allBytes, findings, moreFindings = 0 }: Verification): string {
  const count = findings.length + moreFindings
  const more = moreFindings > 0 ? [`and ${moreFindings} more; mend these first.`] : []
  const all = [...findings.map((finding) => findingText(finding, finding.mend)), ...more]
  const checked = `${records} records, ${size(allBytes)}; ${hashedFiles} files read and hashed, ${size(hashedBytes)}.`
  return `${all.map((text) => `${text}\n\n`).join('')}${count === 0 ? 'Clean' : count === 1 ? '1 finding' : `${count} findings`}: ${checked}`
}
