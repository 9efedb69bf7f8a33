// The one sentence that answers the question: served or not, why, and what to do. Looks nothing up.
import type { KnownOwner } from '../../records/known.ts'
import { asGatewayUser } from '../access.ts'
import type { Audience } from './answer.ts'
import type { Examined } from './examine.ts'
import type { KnownLink } from './links.ts'
import { askable, type Subject } from './subject.ts'

export type Facts = {
  readonly subject: Subject
  readonly audience: Audience
  /** The blob that the question is about, if one was found. */
  readonly blob: Examined | undefined
  readonly owner: (KnownOwner & { readonly id: string, readonly erasedAt: string | null, readonly hasTombstone: boolean, /** An embedded one. */ readonly hasAccount: boolean }) | undefined
  readonly oldPath: { readonly hasTombstone: boolean, readonly oldFile: string | null } | undefined
  /** What was asked about. */
  readonly link: KnownLink | undefined
  /** Why the database cannot be asked. */
  readonly databaseFailure: string | undefined
  readonly now: Date
}

export type Verdict = { readonly isServed: boolean, readonly verdict: string }

const day = (time: string): string => time.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')

const bringsBack = '"upload-gateway audit --repair" brings it back where its bytes are elsewhere on the volume; with --from BACKUP, where they are in a backup.'

/** The reason begins with the code of the error. */
const isForbidden = ({ is, reason }: Examined['file']): boolean => is === 'unreadable' && /^(?:EACCES|EPERM)\b/.test(reason ?? '')

const no = (verdict: string): Verdict => ({ isServed: false, verdict })

export function judge (facts: Facts): Verdict {
  const { subject, blob, link, databaseFailure } = facts
  if (subject.is === 'no address') return no(`404: ${subject.path} is no address of a file. /docs of the gateway lists all of them.`)
  if (databaseFailure !== undefined) return no(`The database cannot be read, so the gateway does not answer at all (${databaseFailure}). "upload-gateway doctor" says more; when it is lost, "upload-gateway rebuild" makes it anew.`)
  if (link !== undefined && link.is !== 'standing') return no(linkWithoutEffect(link))
  return blob === undefined ? withoutBlob(facts) : withBlob(facts, blob)
}

function linkWithoutEffect ({ is, attachmentId, expiresAt, revokedAt }: KnownLink): string {
  const thisLink = attachmentId === null ? 'this link' : `this link to the attachment ${attachmentId}`
  if (revokedAt !== null) return `404: ${thisLink} was revoked on ${day(revokedAt)}.`
  if (is === 'expired' && expiresAt !== null) return `404: ${thisLink} expired on ${day(expiresAt)}.`
  if (is === 'unknown') return '404: there is no record of this link: its attachment was removed for good, or the database was made anew since, or is from before it.'
  return '404: the gateway did not make this link as it is. It is cut short or changed, or was signed with a key that is not among those of these settings.'
}

function withBlob (facts: Facts, blob: Examined): Verdict {
  const { record, file, sidecar } = blob
  if (record === null) return withoutRecord(blob)
  if (facts.audience === 'nobody') return notShown(facts, blob, record)
  if (file.is === 'nothing') return no(`503: the record is there, but its file ${file.path} is missing. ${bringsBack}`)
  if (isForbidden(file)) return no(`It is not known whether it is served: ${file.path} may not be read by this user (${file.reason?.split(':')[0]}). ${asGatewayUser}`)
  if (file.is !== 'file') return no(`503: ${file.path} ${file.is === 'unreadable' ? `cannot be read (${file.reason})` : `is not a file but a ${file.is}`}. Make it readable. ${bringsBack}`)
  if (!file.isWhole) return no(`It is served damaged: ${file.path} has ${file.size === record.size ? 'other bytes than were uploaded' : `${file.size} bytes instead of ${record.size}`}. ${bringsBack}`)
  const served = `It is served: ${record.contentType}, ${record.size} bytes, to ${facts.audience}${until(facts.link)}; the file is whole.`
  if (blob.erasedAt !== null) return no(`It is served, but should not be: its owner was erased on ${day(blob.erasedAt)}. The gateway finishes erasures at its start; restart it.`)
  const isLagging = sidecar.is !== 'whole' || (sidecar.differences.length > 0 && !record.isSidecarDue)
  return { isServed: true, verdict: isLagging ? `${served} Its sidecar ${sidecar.is === 'whole' ? `differs in ${sidecar.differences.join(', ')}` : `is ${sidecar.is}`}: ${sidecar.is === 'unreadable' ? '"upload-gateway verify" says more.' : '"upload-gateway audit --repair" writes it anew.'}` : served }
}

const until = (link: KnownLink | undefined): string => link === undefined || link.expiresAt === null ? '' : `, until ${day(link.expiresAt)}`

function notShown ({ subject, owner, now }: Facts, { id, purgedAfter }: Examined, { state, stateAt, ownerId, recordId, expiresAt }: NonNullable<Examined['record']>): Verdict {
  const hadExpiredBy = (at: Date): boolean => expiresAt !== null && new Date(expiresAt) <= at
  if (state === 'live' && hadExpiredBy(now)) return no(`404 because it expired on ${day(expiresAt ?? '')}. A gateway at work moves it to the trash within a minute; from there "upload-gateway trash restore ${recordId ?? id}" brings it back.`)
  const restore = `it can be restored until ${day(purgedAfter ?? stateAt)} with "upload-gateway trash restore ${recordId ?? id}"`
  switch (state) {
    case 'deleted': return no(`404 because it was deleted on ${day(stateAt)}${hadExpiredBy(new Date(stateAt)) ? `, as it had expired on ${day(expiresAt ?? '')}` : ''}; ${restore}.`)
    case 'superseded': return no(`404 because its owner removed their picture after it had been replaced on ${day(stateAt)}; ${restore}.`)
    case 'purging': return no('404: it is on its way out for good, and a sweep removes what is left of it.')
    case 'swept': return no('404: this upload was never acknowledged. The sweep removed its file.')
    default: return no(subject.is === 'version' && ownerId !== subject.userId ? `404: this picture is not one of ${subject.userId}, but ${ownerId === null ? 'nobody\'s yet' : `of ${ownerId}`}.` : `404, though it is ${state}: ${owner?.currentAvatar === id ? 'its record contradicts itself' : 'its record does not fit this address'}. "upload-gateway verify" says more.`)
  }
}

function withoutRecord ({ file, sidecar }: Examined): Verdict {
  if (sidecar.is === 'whole' && file.isWhole) return no('404: its file and sidecar are on the volume, but there is no record of it. An upload under way looks like this for a moment; otherwise "upload-gateway audit --repair" makes its record anew.')
  if (file.is === 'file') return no(`404: ${file.path} is on the volume, but there is no record of it, and its sidecar is ${sidecar.is === 'whole' ? 'not of these bytes' : sidecar.is}. The bytes that its sidecar tells of come back with "upload-gateway audit --repair", with --from BACKUP where they are in a backup; what was never acknowledged is removed by the sweep.`)
  return no(`404: of this only the sidecar ${sidecar.path} is there, no record and no file. If it was ever acknowledged, ${bringsBack}`)
}

function withoutBlob ({ subject, owner, oldPath }: Facts): Verdict {
  switch (subject.is) {
    case 'sha256': return no('No file with this content has a record. Files whose record is lost are not searched for it; "upload-gateway audit" finds those.')
    case 'user':
    case 'current avatar': return withoutAvatar(subject, owner)
    case 'e-mail': return no(`404: no embedded account has the e-mail address ${subject.email}.`)
    case 'old path': return withoutOldPath(subject.path, oldPath)
    case 'version': return no('404: there is no record of it, and no file or sidecar of that id on the volume.')
    default: return no('404: there is no record of it, no file or sidecar of that id on the volume, and no whole sidecar of the day in which the id was made that names it.')
  }
}

function withoutAvatar ({ is, userId }: { is: 'user' | 'current avatar', userId: string }, owner: Facts['owner']): Verdict {
  if (owner?.erasedAt !== undefined && owner.erasedAt !== null) return no(`404: the uploads of ${userId} were erased on ${day(owner.erasedAt)}, and there is no avatar since.`)
  if (owner?.hasTombstone === true) return no(`404: ${userId} has no avatar. They had one here, which was removed for good.`)
  if ((owner?.uploads ?? 0) === 0) {
    if (owner?.hasAccount === true) return no(`404: ${userId} has an embedded account, but no avatar, and no uploads.`)
    const unknown = `404: there is no record of anything of a user ${userId}`
    // Any word may be the id of a user.
    return no(is === 'user' ? `${unknown}${userId.includes('@') ? ', and no embedded account has that e-mail address' : ''}. It was looked for as a user's id; what can be given is ${askable}.` : `${unknown}.`)
  }
  return no(`404: ${userId} has no avatar now.`)
}

function withoutOldPath (path: string, oldPath: Facts['oldPath']): Verdict {
  if (oldPath?.hasTombstone === true) return no(`404: the file behind ${path} was here and has been removed for good.`)
  if (oldPath !== undefined && oldPath.oldFile !== null) return { isServed: true, verdict: `It is served from the older system's folder, as ${oldPath.oldFile}: it is not imported yet.` }
  return no(`404: no file is known here under ${path}. If an older system has it, "upload-gateway import" or READ_THROUGH_DIRS brings it, unless its user decided otherwise here.`)
}
