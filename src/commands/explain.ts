// upload-gateway explain: why is this picture broken?
import type { Command } from 'commander'
import { explain, type Explanation } from '../operations/explain/explain.ts'
import type { Examined } from '../operations/explain/examine.ts'
import { helpWith, running } from './run.ts'
import { plain, size } from './terminal.ts'

export function explainCommand (program: Command): void {
  program.command('explain')
    .description('Say whether a file is served, why not, and what to do: by its id or that of its attachment, its user\'s id or e-mail address, a URL or path of any age and host, also that of a link, or its sha-256. Only reads, also beside a running gateway. Exit 0 when it is served whole.')
    .argument('<what>', 'an id, an e-mail address of an embedded account, a URL, a path or a sha-256')
    .option('--json', 'print all that is known as JSON')
    .addHelpText('after', helpWith('upload-gateway explain https://app.example/i/p/2024/01/avatar_1704067200000_x1y2.png\nupload-gateway explain 019aa1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b'))
    .action(running(async ({ config, progress }, _options: { json?: boolean }, what: string) => {
      const report = await explain(config, what, { progress })
      return { report, text: explainText(report), hasFindings: !report.isServed }
    }))
}

export function explainText ({ verdict, meaning, blobs, owner, link, standingLinks, oldPath, unknown }: Explanation): string {
  return [
    verdict,
    '',
    `asked about     ${meaning}`,
    ...(link === null || link.id === null ? [] : [`link            ${link.id}, ${link.is}: by ${link.creatorId ?? 'nobody known'}, until ${link.expiresAt ?? ''}${link.revokedAt === null ? '' : `, revoked on ${link.revokedAt}`}`]),
    ...blobs.flatMap((blob) => ['', ...blobLines(blob)]),
    ...(standingLinks === null ? [] : [`links           ${standingLinks.until === null ? 'none' : `${standingLinks.count} standing, the last until ${standingLinks.until}`}`]),
    ...(owner === null ? [] : ['', `owner           ${owner.id}: ${owner.uploads} uploads, current avatar ${owner.currentAvatar ?? 'none'}${owner.hasAccount ? ', an embedded account' : ''}${owner.erasedAt === null ? '' : `, erased on ${owner.erasedAt}`}`]),
    ...(oldPath === null ? [] : [`old path        ${oldPath.hasTombstone ? 'removed for good once' : 'no tombstone'}${oldPath.oldFile === null ? '' : `; in the older system's folder as ${oldPath.oldFile}`}`]),
    ...unknown.map((sentence) => `not known       ${sentence}`),
  ].map(plain).join('\n')
}

function blobLines ({ id, kind, record, file, sidecar, purgedAfter, erasedAt }: Examined): string[] {
  return [
    `${kind.padEnd(15)} ${id}`,
    ...(record === null ? ['record          none'] : recordLines(record)),
    `file            ${file.path}: ${fileState(file)}`,
    `sidecar         ${sidecar.is}${sidecar.differences.length > 0 ? `, differs in ${sidecar.differences.join(', ')}` : ''}`,
    ...(purgedAfter === null ? [] : [`trash           removed for good after ${purgedAfter}`]),
    ...(erasedAt === null ? [] : [`erased          its owner was, on ${erasedAt}`]),
  ]
}

function recordLines ({ state, stateAt, ownerId, creatorId, recordId, filename, visibility, contentType, size: bytes, sha256, createdAt, aliases, source, readers, expiresAt, isCurrentAvatar, isSidecarDue }: NonNullable<Examined['record']>): string[] {
  return [
    `record          ${state}${isCurrentAvatar ? ', current' : ''} since ${stateAt}${isSidecarDue ? '; its sidecar is being written' : ''}`,
    `uploaded        ${createdAt} for ${ownerId ?? 'nobody yet'} by ${creatorId ?? 'nobody known'}: ${contentType}, ${size(bytes)}`,
    `sha-256         ${sha256}`,
    ...(recordId === null ? [] : [`attachment      ${recordId}, "${filename ?? ''}", ${visibility ?? ''}`]),
    ...(readers.length === 0 ? [] : [`readers         ${readers.join(', ')}`]),
    ...(expiresAt === null ? [] : [`expires         ${expiresAt}`]),
    ...aliases.map((path) => `old URL         ${path}`),
    ...(source === null ? [] : [`imported from   ${source}`]),
  ]
}

function fileState ({ is, size: bytes, sha256, isWhole, reason }: Examined['file']): string {
  if (is === 'file') return isWhole ? `whole, ${size(bytes ?? 0)}` : `damaged: ${bytes ?? 0} bytes, sha-256 ${sha256 ?? ''}`
  return is === 'nothing' ? 'missing' : is === 'unreadable' ? `cannot be read (${reason ?? ''})` : `a ${is} instead of a file`
}
