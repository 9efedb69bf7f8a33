// upload-gateway doctor: what is wrong around the gateway, and what to change.
import type { Command } from 'commander'
import { ConfigError, readConfig, type Config } from '../config.ts'
import type { Level } from '../operations/doctor/check.ts'
import { diagnose, type Diagnosis } from '../operations/doctor/doctor.ts'
import { environment, helpWith, reporting } from './run.ts'
import { plain } from './terminal.ts'

type Options = { url?: string, json?: boolean }

export function doctorCommand (program: Command): void {
  program.command('doctor')
    .description('Look at everything around the gateway: settings, volume, disk, clock, database, and what stands between it and its clients; and say what to change. Also when the gateway does not start. Writes nothing but a few files that it removes again, to measure the disk.')
    .option('--url <url>', 'where clients reach the gateway (default: PUBLIC_URL)')
    .option('--json', 'print JSON')
    .addHelpText('after', helpWith('upload-gateway doctor\nupload-gateway doctor --url https://files.example'))
    .action(reporting(async (_progress, { url }: Options) => {
      const report = await diagnose(...settingsOf(environment(), url))
      return { report, text: doctorText(report), hasFindings: report.counts.problem > 0 }
    }))
}

/** With settings that are not valid, what can still be looked at is the volume and the database. */
function settingsOf (env: Record<string, string | undefined>, url: string | undefined): [Config, { invalid?: string, url: string | undefined }] {
  try {
    return [readConfig(env), { url }]
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const { UPLOADS_DIR, DATABASE_URL, STORAGE_URL, STORAGE_ENDPOINT, STORAGE_PATH_STYLE } = env
    const isUrl = /^(file:.|postgres(ql)?:\/\/)/.test(DATABASE_URL ?? '') && URL.canParse(DATABASE_URL ?? '')
    const places = { UPLOADS_DIR, ...(isUrl && { DATABASE_URL }) }
    const invalid = { invalid: error.message, url }
    try {
      return [readConfig({ ...places, STORAGE_URL, STORAGE_ENDPOINT, STORAGE_PATH_STYLE }), invalid]
    } catch {
      return [readConfig(places), invalid]
    }
  }
}

const marks: Readonly<Record<Level, string>> = { ok: 'ok', warning: 'WARNING', problem: 'PROBLEM', unknown: '?' }

export function doctorText ({ checks, counts }: Diagnosis): string {
  const lines = checks.flatMap(({ area, name, level, detail, change }) => [`${marks[level].padEnd(8)} ${area}, ${name}: ${detail}`, ...(change === null ? [] : [`         ${change}`])].map(plain))
  return [...lines, '', `${counted(counts.problem, 'problem')}, ${counted(counts.warning, 'warning')}, ${counts.ok} in order, ${counts.unknown} not to be seen from here.`].join('\n')
}

const counted = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`
