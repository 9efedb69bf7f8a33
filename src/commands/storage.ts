// upload-gateway storage: moving the files of users between homes.
import type { Command } from 'commander'
import { copyStorage, type StorageCopyReport } from '../operations/storage-copy/storage-copy.ts'
import { findingText } from './findings.ts'
import { environment, helpWith, running, whereRelative } from './run.ts'
import { size } from './terminal.ts'

type Options = { from: string, to: string, fromEndpoint?: string, toEndpoint?: string, fromPathStyle?: boolean, toPathStyle?: boolean, json?: boolean }

/** In the text for people; --json has all. */
const mostFindings = 100

export function storageCommand (program: Command): void {
  const command = program.command('storage').description('Move the files of users to another home.')

  command.command('copy')
    .configureHelp({ showGlobalOptions: false })
    .description('Copy all files of users, with their sidecars, the journals and what has come of unfinished uploads, from one home to another: a volume, an S3 store or an Azure container. Gateways go on meanwhile. Each file is hashed on the way; one that is damaged is named, and not copied. What is there with a sidecar of the same hash, and of the same size, is not sent again; one without is read back. Killed, it is run again and goes on. Run it until it says that nothing was left.')
    .requiredOption('--from <url>', `the home as it is: file:/path/to/volume, s3://bucket/prefix or azblob://container/prefix; empty for UPLOADS_DIR; ${whereRelative}`)
    .requiredOption('--to <url>', 'the new one, written the same way')
    .option('--from-endpoint <url>', 'of the object store; without it, STORAGE_ENDPOINT')
    .option('--to-endpoint <url>', 'the same of the new one')
    .option('--from-path-style', 'the bucket is named in the path; without it, as STORAGE_PATH_STYLE says')
    .option('--to-path-style', 'the same of the new one')
    .option('--json', 'print JSON')
    .addHelpText('after', helpWith('upload-gateway storage copy --from file:/uploads --to s3://bucket/prefix\nupload-gateway storage copy --from s3://bucket/prefix --from-endpoint http://ceph:7480 --from-path-style --to file:/uploads'))
    .action(running(async ({ config, progress }, { from, to, fromEndpoint, toEndpoint, fromPathStyle, toPathStyle }: Options) => {
      const { STORAGE_ENDPOINT = '', STORAGE_PATH_STYLE = 'false' } = environment()
      const isPathStyle = STORAGE_PATH_STYLE === 'true'
      const report = await copyStorage(config, {
        from: { url: from, endpoint: fromEndpoint ?? STORAGE_ENDPOINT, isPathStyle: fromPathStyle ?? isPathStyle },
        to: { url: to, endpoint: toEndpoint ?? STORAGE_ENDPOINT, isPathStyle: toPathStyle ?? isPathStyle },
        progress,
      })
      return { report, text: storageCopyText(report), hasFindings: report.findings.length > 0 }
    }))
}

export function storageCopyText (report: StorageCopyReport): string {
  const { from, to, records, files, bytes, sidecars, segments, segmentBytes, lines, removed, left, isSame, findings, moreFindings, seconds } = report
  const more = findings.length - Math.min(findings.length, mostFindings) + moreFindings
  return [
    `${counted(records, 'record')} looked at in ${seconds.toFixed(1)} s, from ${from} to ${to}.`,
    ...isSame
      ? ['Nothing was left to copy.']
      : [`Copied: ${counted(files, 'file')} (${size(bytes)}), ${counted(sidecars, 'sidecar')} of others, ${counted(segments, 'piece')} of unfinished uploads (${size(segmentBytes)}), ${counted(lines, 'line')} of the journals. Removed: ${counted(removed, 'file')} that ${removed === 1 ? 'is' : 'are'} gone from the old home.`, 'Run this again until it says that nothing was left.'],
    ...left === 0 ? [] : [`${counted(left, 'file')} without a record in the new home: of uploads that are at work, or left to the sweep.`],
    ...findings.length === 0 ? [] : ['', `${(findings.length + moreFindings).toLocaleString('en')} could not be copied:`, ...findings.slice(0, mostFindings).map((finding) => findingText(finding, finding.mend))],
    ...more === 0 ? [] : [`… and ${more.toLocaleString('en')} more: --json lists those that were kept in mind.`],
  ].join('\n')
}

const counted = (count: number, one: string): string => `${count.toLocaleString('en')} ${count === 1 ? one : `${one}s`}`
