// upload-gateway audit: what can be done about each thing that verify finds, and with --repair its doing.
import type { Command } from 'commander'
import { auditVolume, repairWork, type Audit, type Outcome } from '../operations/audit.ts'
import { atWork } from '../operations/workplace.ts'
import { findingText } from './findings.ts'
import { helpWith, running } from './run.ts'

type Options = { repair?: boolean, from?: string, removeForeign?: boolean, json?: boolean }

export function auditCommand (program: Command): void {
  program.command('audit')
    .description('Check the volume as verify does and say what can be done about each finding; with --repair, do it. A running gateway is no hindrance.')
    .option('--repair', 'do it; without this nothing is changed')
    .option('--from <dir>', 'a backup folder, or a copy of the volume, to take lost bytes from')
    .option('--remove-foreign', 'with --repair: also remove what the gateway never put there')
    .option('--json', 'print JSON')
    .addHelpText('after', helpWith('upload-gateway audit\nupload-gateway audit --repair --from /backups/uploads'))
    .hook('preAction', (command) => {
      const { repair = false, removeForeign = false } = command.opts<Options>()
      if (removeForeign && !repair) command.error('error: --remove-foreign removes only together with --repair; without it, the list of what is foreign is the same.')
    })
    .action(running(async ({ config, progress }, { repair = false, from, removeForeign = false }: Options) => {
      const audit = await atWork(config, { work: repair ? repairWork : 'audit', onlyReads: !repair }, (workplace) =>
        auditVolume(workplace, { isRepair: repair, removesForeign: removeForeign, progress, ...(from !== undefined && { from }) }))
      return { report: audit, text: auditText(audit), hasFindings: audit.findings.some(({ outcome }) => outcome !== 'mended') || audit.moreFindings !== undefined }
    }, ({ repair = false }) => repair))
}

const headings: Readonly<Record<Outcome, string>> = { mended: 'Mended', mendable: 'Would be mended', failed: 'Failed', left: 'Left' }

export function auditText ({ findings, records, moreFindings = 0, isRepair }: Audit): string {
  const listed = findings.map((finding) => findingText(finding, `${headings[finding.outcome]}: ${finding.action}`))
  const more = moreFindings > 0 ? [`and ${moreFindings} more: run this again once these are mended.`] : []
  const counts = (Object.keys(headings) as Outcome[]).map((outcome) => [findings.filter((finding) => finding.outcome === outcome).length, headings[outcome]] as const).filter(([count]) => count > 0)
  const summary = counts.length === 0 ? 'Clean' : counts.map(([count, heading]) => `${heading}: ${count}`).join('; ')
  const hint = !isRepair && findings.some(({ outcome }) => outcome === 'mendable') ? ' Nothing was changed: run this with --repair to mend what can be mended.' : ''
  return `${[...listed, ...more].map((text) => `${text}\n\n`).join('')}${summary}. ${records} records were checked.${hint}`
}
