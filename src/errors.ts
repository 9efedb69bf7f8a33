// Every code this service can answer with, its status and its sentence. The codes are API: they never change meaning.
import createError, { type FastifyErrorConstructor } from '@fastify/error'

export type ErrorEntry = { readonly code: string, readonly status: number, readonly sentence: string }

const table: ErrorEntry[] = []

/** All codes, in the order of this file: what README and OpenAPI list. */
export const errorTable: readonly ErrorEntry[] = table

function define<Arguments extends unknown[] = []> (code: string, status: number, sentence: string) {
  table.push({ code, status, sentence: sentence.replaceAll(/%s\.?/g, '…') })
  return createError(code, sentence, status) as FastifyErrorConstructor<{ code: string, statusCode: number }, [...Arguments, { cause?: unknown }?]>
}

/** Response headers that belong to an error, such as Allow with a 405 (RFC 9110). */
export function withHeaders<E extends Error> (error: E, headers: Record<string, string>): E & { headers: Record<string, string> } {
  return Object.assign(error, { headers })
}

// Requests
export const RequestInvalid = define<[reason: string]>('REQUEST_INVALID', 400, 'The request is not valid: %s.')
export const BodyTooLarge = define('BODY_TOO_LARGE', 413, 'The JSON body is larger than this route accepts.')
export const ContentTypeUnsupported = define<[accepted: string]>('CONTENT_TYPE_UNSUPPORTED', 415, 'This route does not accept that Content-Type; send %s.')
export const RouteNotFound = define('ROUTE_NOT_FOUND', 404, 'There is nothing at this address; /docs lists all routes.')
export const MethodNotAllowed = define('METHOD_NOT_ALLOWED', 405, 'This address does not take that method; the Allow header lists those it does.')
export const PreconditionFailed = define('PRECONDITION_FAILED', 412, 'The file is not the version the request was made for.')
export const RangeNotSatisfiable = define('RANGE_NOT_SATISFIABLE', 416, 'The range lies outside the file; Content-Range gives its size in bytes.')
export const RequestTimeout = define('REQUEST_TIMEOUT', 408, 'The request did not arrive in time; send it again.')
export const HeadersTooLarge = define('HEADERS_TOO_LARGE', 431, 'The request headers are larger than this service takes.')

// Callers
export const TokenMissing = define('TOKEN_MISSING', 401, 'This route needs a token: send the header "Authorization: Bearer" followed by a token.')
export const TokenInvalid = define('TOKEN_INVALID', 401, 'The token is not valid or has expired; get a new one.')
export const ScopeMissing = define<[scope: string]>('SCOPE_MISSING', 403, 'This needs a token with the scope %s.')
export const OwnerForbidden = define('OWNER_FORBIDDEN', 403, 'Acting for another user needs a token with the scope uploads:service.')
export const CallersUnavailable = define('KEYS_UNAVAILABLE', 503, 'The keys that tokens are checked with cannot be fetched right now; try again.')

// Accounts
export const EmailTaken = define('EMAIL_TAKEN', 409, 'An account with this e-mail address exists; log in instead.')
export const CredentialsInvalid = define('CREDENTIALS_INVALID', 401, 'E-mail address or password is wrong.')
export const PasswordWrong = define('PASSWORD_WRONG', 403, 'The current password is wrong.')
export const AttemptsExceeded = define('ATTEMPTS_EXCEEDED', 429, 'Too many attempts; try again after the seconds in Retry-After.')
export const AccountsOff = define('ACCOUNTS_OFF', 404, 'This gateway keeps no accounts of its own; get a token from your identity service.')
export const AccountNotFound = define('ACCOUNT_NOT_FOUND', 404, 'This token belongs to no account of this gateway.')

// Uploads
export const UploadMissing = define('UPLOAD_MISSING', 400, 'The request carries no file: send a multipart file part, or the bytes as the body.')
export const UploadMalformed = define<[reason: string]>('UPLOAD_MALFORMED', 400, 'The body cannot be read: %s.')
export const UploadFieldInvalid = define<[reason: string]>('UPLOAD_FIELD_INVALID', 400, 'A form field is not valid: %s.')
export const UploadFilesExceeded = define<[count: number]>('UPLOAD_FILES_EXCEEDED', 413, 'One request takes at most %s files; send the rest in another.')
export const UploadTooLarge = define<[maxBytes: number]>('UPLOAD_TOO_LARGE', 413, 'The file is larger than %s bytes, the most this route takes.')
export const UploadTypeRejected = define<[accepted: string]>('UPLOAD_TYPE_REJECTED', 415, 'The bytes are not of a type this route takes; send %s.')
export const UploadStalled = define('UPLOAD_STALLED', 408, 'The upload stood still or came too slowly; send it again.')
export const UploadAborted = define('UPLOAD_ABORTED', 499, 'The client closed the connection before the upload was complete.')
export const UploadConflict = define('UPLOAD_CONFLICT', 503, 'The upload could not be recorded because something else changed meanwhile; send it again.')
export const OwnerErased = define('OWNER_ERASED', 410, 'This user\'s uploads were erased, while this one was under way or since; nothing of theirs is kept.')
export const ImageInvalid = define('IMAGE_INVALID', 422, 'The picture is damaged and cannot be read; export it again and resend.')
export const ImageTooLarge = define<[maxPixels: number, maxSide: number, maxFrames: number]>('IMAGE_TOO_LARGE', 422, 'The picture has more than %s pixels, a side over %s pixels, or more than %s frames; make it smaller and resend.')
export const ImageTooSlow = define('IMAGE_TOO_SLOW', 422, 'The picture takes too long to read; scale it down, or export it in a simpler format, and resend.')
export const MetadataUnreadable = define('METADATA_UNREADABLE', 422, 'It cannot be told what is personal in this picture, as its file is damaged, or several in a row; export it again and resend, or send it with metadata=keep to store it as it is.')
export const PictureReplaced = define('PICTURE_REPLACED', 409, 'The picture was replaced or removed meanwhile; look at the new one and try again.')
export const CropInvalid = define('CROP_INVALID', 422, 'The crop is empty or reaches out of the picture; it must be x,y,width,height as fractions of the upright picture, with x + width and y + height at most 1.')

export const UploadDigestMismatch = define<[which: string]>('UPLOAD_DIGEST_MISMATCH', 422, 'The bytes that arrived are not those that were sent: %s differs. Nothing was kept; send them again.')
export const DigestInvalid = define<[reason: string]>('DIGEST_INVALID', 400, 'A digest cannot be read: %s.')
export const UploadInfected = define<[signature: string]>('UPLOAD_INFECTED', 422, 'The scanner calls this file harmful (%s); nothing of it was kept.')
export const ScannerUnavailable = define('SCANNER_UNAVAILABLE', 503, 'The file could not be scanned for harmful content and was not kept; try again later.')

// Retries
export const IdempotencyKeyInvalid = define('IDEMPOTENCY_KEY_INVALID', 400, 'The Idempotency-Key must be 1 to 255 visible ASCII characters, such as a UUID.')
export const IdempotencyKeyReused = define('IDEMPOTENCY_KEY_REUSED', 422, 'This Idempotency-Key was used for another request; take a new one for each upload.')
export const IdempotencyInProgress = define('IDEMPOTENCY_IN_PROGRESS', 409, 'The request with this Idempotency-Key is still under way; ask again after the seconds in Retry-After.')

// Quotas and rates
export const QuotaExceeded = define<[what: string]>('QUOTA_EXCEEDED', 413, 'This would be more than %s. GET /api/usage says how much there is.')
export const RateExceeded = define<[limit: string]>('RATE_EXCEEDED', 429, 'This caller has used up its %s; go on after the seconds in Retry-After.')

// Resumable uploads
export const ResumableInvalid = define<[reason: string]>('RESUMABLE_INVALID', 400, 'The resumable upload is not valid: %s.')
export const ResumableNotFound = define('RESUMABLE_NOT_FOUND', 404, 'There is no such resumable upload; begin a new one.')
export const ResumableGone = define('RESUMABLE_GONE', 410, 'This resumable upload has expired, its bytes are gone, or it was ended while this request was under way; begin a new one.')
export const ResumableOffsetWrong = define<[offset: number]>('RESUMABLE_OFFSET_WRONG', 409, 'The upload stands at byte %s; ask for the offset with HEAD and go on from there.')
export const ResumableTakenOver = define('RESUMABLE_TAKEN_OVER', 409, 'A later request has taken over this upload; ask for the offset with HEAD and go on from there.')
export const ResumableFinishing = define<[why: string]>('RESUMABLE_FINISHING', 423, 'All bytes of this upload are kept, but it cannot be finished right now: %s. It is tried again by itself; ask again with HEAD after the seconds in Retry-After.')
export const ResumableFinal = define('RESUMABLE_FINAL', 403, 'This upload is made of others and takes no bytes of its own.')
export const ResumableVersion = define('RESUMABLE_VERSION', 412, 'This speaks tus 1.0.0: send Tus-Resumable: 1.0.0.')
export const ChecksumMismatch = define('CHECKSUM_MISMATCH', 460, 'The bytes of this request are not those that were sent: Upload-Checksum differs. They were not kept; send them again.')

// What is asked for
export const LinkNotFound = define('LINK_NOT_FOUND', 404, 'There is no such link, or it has expired or was revoked.')
export const LinksExceeded = define<[count: number]>('LINKS_EXCEEDED', 409, 'There are %s links to this attachment, the most there may be; use one of them, or revoke one.')
export const AvatarNotFound = define('AVATAR_NOT_FOUND', 404, 'There is no such avatar.')
export const AttachmentNotFound = define('ATTACHMENT_NOT_FOUND', 404, 'There is no such attachment.')
export const PreviewUnavailable = define('PREVIEW_UNAVAILABLE', 404, 'There is no preview of this attachment: it is no picture, or one that is damaged or too large to be shown. Its bytes are at /content.')
export const FileNotFound = define('FILE_NOT_FOUND', 404, 'There is no file at this address.')
export const AvatarUrlRejected = define('AVATAR_URL_REJECTED', 403, 'The avatar must be the URL of a picture that this user uploaded.')

// The service
export const StorageFull = define('STORAGE_FULL', 507, 'The storage is full; this can be done again once space is free.')
export const StorageUnavailable = define('STORAGE_UNAVAILABLE', 503, 'The storage cannot do this right now; try again later.')
export const DatabaseUnavailable = define('DATABASE_UNAVAILABLE', 503, 'The database cannot do this right now; try again later.')
export const ServiceOverloaded = define('SERVICE_OVERLOADED', 503, 'The service has more work than it can do right now; try again after the seconds in Retry-After.')
export const ImagesBusy = define('IMAGES_BUSY', 503, 'More pictures are waiting than the service can work on right now; try again after the seconds in Retry-After.')
export const ReadOnly = define('READ_ONLY', 503, 'The service takes no changes for now, and serves what there is; send it again after the seconds in Retry-After.')
export const ServiceStopping = define('SERVICE_STOPPING', 503, 'The service is stopping; try again.')
export const InternalError = define('INTERNAL_ERROR', 500, 'Something went wrong on our side; the requestId finds it in the log.')
