// The table of contents: everything the gateway is made of, registered in the order a request meets it.
import { performance } from 'node:perf_hooks'
import Fastify, { type FastifyInstance } from 'fastify'
import type { DestinationStream } from 'pino'
import { accountRoutes } from './accounts/routes.ts'
import { createAccountRecords } from './accounts/records.ts'
import { createProfile, createStanding } from './accounts/service.ts'
import { attachmentEvents } from './attachments/events.ts'
import { linkRoutes } from './attachments/link-routes.ts'
import { createLinks } from './attachments/links.ts'
import { attachmentRoutes } from './attachments/routes.ts'
import { createAttachmentRecords } from './attachments/records.ts'
import { listNames, particularNames } from './attachments/schema.ts'
import { createPreviews } from './attachments/previews.ts'
import { createAttachments } from './attachments/service.ts'
import { createResumedAttachments } from './attachments/resumed.ts'
import { createAttachmentUploads } from './attachments/uploads.ts'
import { avatarEvents } from './avatars/events.ts'
import { createFallbacks } from './avatars/fallbacks.ts'
import { avatarRoutes } from './avatars/routes.ts'
import { createAvatarRecords } from './avatars/records.ts'
import { createResumedAvatars } from './avatars/resumed.ts'
import { createAvatars } from './avatars/service.ts'
import { showing } from './avatars/showing.ts'
import { createAvatarUploads } from './avatars/uploads.ts'
import { asUserId } from './callers/caller.ts'
import { openKeys } from './callers/keys.ts'
import { createMint } from './callers/mint.ts'
import { openSigner } from './callers/signer.ts'
import { oldPaths } from './compat/old-paths.ts'
import { createReadThrough } from './compat/read-through.ts'
import { systemM } from './compat/system-m.ts'
import { systemR, systemRAvatarUrl } from './compat/system-r.ts'
import type { Config } from './config.ts'
import { delivery } from './events/delivery.ts'
import { createOutbox } from './events/records.ts'
import { createScheduledAudit } from './operations/scheduled-audit.ts'
import { limitsRoute } from './plugins/limits.ts'
import { audit } from './plugins/audit.ts'
import { auth } from './plugins/auth.ts'
import { claimed } from './plugins/claimed.ts'
import { clientErrorHandler } from './plugins/client-errors.ts'
import { connections } from './plugins/connections.ts'
import { coordination as coordinating } from './plugins/coordination.ts'
import { cors } from './plugins/cors.ts'
import { erasures } from './plugins/erasures.ts'
import { describeEvents } from './plugins/event-description.ts'
import { expectContinue } from './plugins/expect.ts'
import { createFront, front as answersReady, type Front } from './plugins/front.ts'
import { health } from './plugins/health.ts'
import { idempotency } from './plugins/idempotency.ts'
import { images } from './plugins/images.ts'
import { logging, requestLog } from './plugins/logger.ts'
import { mediaSession } from './plugins/media-session.ts'
import { methods } from './plugins/methods.ts'
import { createMetrics, metricsEndpoint } from './plugins/metrics.ts'
import { openapi } from './plugins/openapi.ts'
import { overload } from './plugins/overload.ts'
import { frameworkErrors, problems } from './plugins/problems.ts'
import { storage } from './plugins/storage.ts'
import { tellingSweeps } from './plugins/sweep-outcome.ts'
import { upkeep } from './plugins/upkeep.ts'
import { quotaLimits, quotas } from './plugins/quota.ts'
import { rateLimits } from './plugins/rates.ts'
import { readOnly } from './plugins/read-only.ts'
import { uploadsInFlight } from './plugins/uploads-in-flight.ts'
import { usageRoute } from './plugins/usage.ts'
import { countingUploads } from './plugins/upload-count.ts'
import { validation } from './plugins/validation.ts'
import { createAnswers } from './records/answers.ts'
import { createAuditRecord } from './records/audit-state.ts'
import { createEvents, noteWebhook } from './records/events.ts'
import { createLedger } from './records/ledger.ts'
import { createLinkRecords } from './records/links.ts'
import { createKnownPaths } from './records/old-paths.ts'
import { createOwners } from './records/owners.ts'
import { createQuota } from './records/quota.ts'
import { createRowMemory, forgetful } from './records/row-memory.ts'
import { openSecrets } from './records/secrets.ts'
import { createSettling } from './records/sidecars.ts'
import { createTombstoneRecords } from './records/tombstones.ts'
import { createClamd } from './scanning/clamd.ts'
import { greetingScanner } from './scanning/greeting.ts'
import { createScan, withoutScanner } from './scanning/scan.ts'
import { standingStill } from './resumable/read-only.ts'
import { resumableRoutes } from './resumable/routes.ts'
import { createResumables } from './resumable/service.ts'
import { withoutMaking } from './secrets.ts'
import { fileSystem, type FileSystem } from './storage/fs.ts'
import { createSightings } from './storage/orphans.ts'
import { createPace } from './storage/pace.ts'
import { createStrayVariants } from './storage/stray-variants.ts'
import { createSweep } from './storage/sweep.ts'
import { findOwnFiles } from './storage/volume/own-files.ts'
import { bodyDeadline } from './transfer/body-deadline.ts'
import { drainUnread } from './transfer/drain.ts'
import { erasedEvents } from './users/events.ts'
import { createExports } from './users/export.ts'
import { openReceipts } from './users/receipt.ts'
import { createExportRecords } from './users/records.ts'
import { userRoutes } from './users/routes.ts'
import { erasureAt, requireLedger } from './users/service.ts'
import { version } from './version.ts'

/** Headers must be there within this time; bodies have a watchdog of their own instead of a deadline. */
const headersTimeoutMs = 20_000
const maxJsonBytes = 64 * 1024
const maxFilesPerRequest = 10
/** Nobody reads an expired attachment meanwhile. */
const expireEveryMs = 60_000

/** Rows of links that have expired go this often. */
const linksEveryMs = 10 * 60_000

/** Of the time, for looking through the volume. */
const sweepShare = 0.2

/** The same, for checking each of its files: a million take some hours. What takes long has mostly waited, for a disk or an object store. */
const auditShare = 0.1
const longestAuditRestMs = 20

export type AppOptions = {
  readonly isTerminal?: boolean
  readonly logStream?: DestinationStream
  readonly fs?: FileSystem
  readonly now?: () => Date
  readonly monotonicMs?: () => number
}

/** A gateway that is ready to listen. @throws ConfigError when it must not start; nothing stays open then */
export async function buildApp (config: Config, options: AppOptions = {}): Promise<FastifyInstance> {
  const { isTerminal = false, logStream } = options
  const front = createFront({ headersTimeoutMs })
  const app = Fastify({
    ...logging({ level: config.logLevel, isTerminal, ...(logStream !== undefined && { stream: logStream }) }),
    trustProxy: config.trustProxy,
    bodyLimit: maxJsonBytes,
    // A start may take long: a migration of a large database, a slow volume.
    pluginTimeout: 0,
    serverFactory: front.serverFactory,
    routerOptions: { maxParamLength: 1024 },
    return503OnClosing: false,
    clientErrorHandler,
    frameworkErrors,
  })
  try {
    await compose(app, front, config, options)
    await app.ready()
    return app
  } catch (error) {
    await app.close()
    throw error
  }
}

async function compose (app: FastifyInstance, front: Front, config: Config, { fs: machine = fileSystem, now = () => new Date(), monotonicMs = () => performance.now() }: AppOptions): Promise<void> {
  await app.register(connections)
  await app.register(drainUnread)
  await app.register(bodyDeadline)
  await app.register(problems)
  await app.register(validation)
  await app.register(requestLog)
  await app.register(openapi, { version, webhooks: describeEvents({ ...attachmentEvents, ...avatarEvents, ...erasedEvents }) })
  await app.register(storage, { config, fs: machine, monotonicMs })
  const { home, home: { fs }, database: { client, check: checkDatabase }, storage: { store, segments, space, staging, probe, checkClaim, hash, tombstones } } = app

  await app.register(coordinating, { config })
  const { coordination } = app

  const isWanted = config.webhook !== undefined
  if (!config.isReadOnly) await noteWebhook(client, isWanted)
  const events = createEvents({ hash, now, isWanted })
  const outbox = createOutbox({ client, now })
  const metrics = createMetrics({ ...(config.webhook && { events: outbox.depth }), freeBytes: async () => (await space.measure()).freeBytes, reserveBytes: async () => (await space.measure()).reserveBytes, staging: staging.usage, leads: coordination.leads, waitingPictureJobs: () => app.images.waiting() })
  await app.register(metricsEndpoint, { metrics })
  await app.register(answersReady, { front, metrics })
  await app.register(cors, config)
  await app.register(methods)
  await app.register(overload, config)
  await app.register(config.isReadOnly ? readOnly : claimed)
  await app.register(expectContinue)
  await app.register(health, { checks: [{ name: 'volume', check: config.isReadOnly ? probe.check : async () => { await probe.check(); await checkClaim() } }, { name: 'database', check: checkDatabase }] })

  const settling = createSettling({ client, store, now })
  const tombstoneRecords = createTombstoneRecords({ client, tombstones, hash, now })
  const ledger = createLedger({ client, ask: app.database.ask, settling, entomb: tombstoneRecords.entomb, now })
  const removeStrays = createStrayVariants({ fs, root: config.uploadsDir, ledger, monotonicMs })
  await app.register(upkeep, {
    coordination,
    sweep: tellingSweeps(metrics, createSweep({
      fs, store, ledger, now,
      root: config.uploadsDir,
      checkClaim,
      removeDeadStaging: app.storage.removeLeftovers,
      settleSidecars: () => settling.settleDue(),
      look: createSightings({ graceMs: config.sweepGraceMs, monotonicMs }),
      trashMs: config.trashRetentionMs,
      trashMaxBytesPerOwner: config.trashMaxBytesPerOwner,
      maxPercent: config.sweepMaxPercent,
      pace: () => createPace(sweepShare),
    }).run),
    sweepEveryMs: config.sweepIntervalMs,
    removeDeadStaging: home.objects === undefined ? staging.removeDead : async () => await staging.removeDead() + await removeStrays(),
    isStagingShared: home.objects === undefined,
    settleSidecars: () => settling.settleDue({ isStart: true }),
  })

  if (!config.isReadOnly) await requireLedger({ fs, root: config.uploadsDir, secondPlace: config.erasureLedger, erasures: app.storage.erasures })
  const erasure = erasureAt({ fs, root: config.uploadsDir, client, storage: app.storage, ledger, now, events, begun: () => coordination.tell('erased', '') })
  await app.register(erasures, { coordination, isReplayedAtStart: !config.isReadOnly, erasure, replayEveryMs: config.sweepIntervalMs })

  await app.register(audit, {
    coordination,
    metrics,
    everyMs: config.auditIntervalMs,
    audit: createScheduledAudit({
      surroundings: { fs, root: config.uploadsDir, client, now, storage: app.storage, isOwn: await findOwnFiles(fs, { ...config, root: config.uploadsDir }) },
      record: createAuditRecord(client),
      everyMs: config.auditIntervalMs,
      maxBytesPerDay: config.auditMaxBytesPerDay,
      onRead: metrics.auditRead,
      pace: () => createPace(auditShare, longestAuditRestMs),
    }),
  })

  const memory = app.database.changes === undefined ? forgetful : createRowMemory(app.database.changes)
  const accountRecords = createAccountRecords(client, memory)
  const kept = openSecrets(app.database, config.databaseFile)
  const secrets = config.isReadOnly ? withoutMaking(kept) : kept
  const keys = await openKeys(config, secrets)
  const standing = config.hasAccounts && { standingOf: createStanding(accountRecords) }
  await app.register(auth, { config, keys, now, ...standing })
  const signer = await openSigner(config, secrets)
  await app.register(mediaSession, { signer, seconds: config.mediaSessionSeconds, publicUrl: config.publicUrl, now, ...standing })

  const owners = createOwners({ client, hash, memory })
  await app.register(idempotency, { answers: createAnswers({ client, owners, hash, now }), owners })
  await app.register(uploadsInFlight, { owners, coordination })
  await app.register(rateLimits, { limitsOf: config.callerLimits, monotonicMs })
  await app.register(quotas, { quota: createQuota({ client, ask: app.database.ask, owners, limitsFor: quotaLimits(config.callerLimits), trashMaxBytes: config.trashMaxBytesPerOwner }) })
  const warn = (error: unknown, message: string) => app.log.warn({ err: error }, message)
  await app.register(images, { config, metrics, fs, now })
  const { intake, variants, drawings } = app.images
  const clamd = config.clamdUrl === undefined ? undefined : createClamd(config.clamdUrl)
  const scan = clamd === undefined ? withoutScanner : createScan({ clamd, failsOpen: config.scanFailsOpen, deadlineMs: config.scanTimeoutMs, onEnd: metrics.scanEnded, warn })
  if (clamd !== undefined) await app.register(greetingScanner, { clamd, failsOpen: config.scanFailsOpen, warn })
  const avatarRecords = createAvatarRecords({ client, owners, now, memory, events })
  const avatars = createAvatars({ settling, warn, records: avatarRecords, show: showing({ store, variants }) })
  const avatarUploads = createAvatarUploads({ store, settling, scan, intake, warn, now, records: avatarRecords, keepsMetadata: config.avatarKeepsMetadata })
  const nameOf = async (id: string) => config.hasAccounts ? (await accountRecords.byId(id))?.displayName : undefined
  const fallbacks = createFallbacks({ drawings, nameOf, now })
  const attachmentRecords = createAttachmentRecords({ client, commit: app.database.commit, owners, now, memory, events })
  const attachments = createAttachments({ store, settling, now, records: attachmentRecords })
  const attachmentUploads = createAttachmentUploads({ store, scan, intake, now, records: attachmentRecords, keepsMetadata: config.attachmentKeepsMetadata })
  app.doNowAndThen({ name: 'expired', everyMs: expireEveryMs, run: attachments.expire })
  const previews = createPreviews({ attachments, store, variants })
  const linkRecords = createLinkRecords({ client, now })
  const links = createLinks({ attachments, signer, now, rows: attachmentRecords, records: linkRecords, publicUrl: config.publicUrl })
  app.doNowAndThen({ name: 'links', everyMs: linksEveryMs, run: linkRecords.removeExpired })
  const pace = { idleMs: config.uploadIdleMs, minBytesPerSecond: config.uploadMinBytesPerSecond }
  const onePicture = { store, ...pace, maxBytes: config.avatarMaxBytes, maxFiles: 1, extraFiles: 'ignored', fieldNames: [] } as const
  const manyFiles = { store, ...pace, maxBytes: config.attachmentMaxBytes, maxFiles: maxFilesPerRequest, extraFiles: 'refused', fieldNames: particularNames, listNames } as const
  const countingAvatars = countingUploads(metrics, 'avatar')
  const countingAttachments = countingUploads(metrics, 'attachment')

  await app.register(avatarRoutes, { avatars, uploads: avatarUploads, fallbacks, receiving: onePicture, counting: countingAvatars })
  await app.register(linkRoutes, { links })
  await app.register(attachmentRoutes, { attachments, uploads: attachmentUploads, previews, receiving: manyFiles, counting: countingAttachments })

  const resumed = {
    attachment: createResumedAttachments({ attachments, uploads: attachmentUploads, counting: countingAttachments, maxBytes: config.attachmentMaxBytes }),
    avatar: createResumedAvatars({ avatars, uploads: avatarUploads, counting: countingAvatars, maxBytes: config.avatarMaxBytes }),
  }
  const engine = createResumables({ client, coordination, owners, segments, store, quota: app.quota, features: resumed, expiryMs: config.resumableExpiryMs, now, warn })
  await app.register(resumableRoutes, { engine: config.isReadOnly ? standingStill(engine) : engine, features: resumed, pace })

  await app.register(userRoutes, { erasure, receipts: await openReceipts(secrets), exports: createExports({ store, records: createExportRecords(client), now }) })

  const avatarUrlOf = async (id: string) => {
    const userId = asUserId(id)
    return userId !== undefined && await avatars.has(userId) ? systemRAvatarUrl(id) : null
  }
  const mint = keys.signingSecret === undefined ? undefined : createMint(keys.signingSecret, config, now)
  await app.register(accountRoutes, { prefix: '/api/auth', config, records: accountRecords, mint, avatarUrlOf })

  const profile = createProfile({ records: accountRecords, avatarUrlOf })
  const compat = { avatars, avatarUploads, receiving: onePicture, counting: countingAvatars, userOf: async (id: string) => (await profile(id)).user }
  await app.register(systemR, compat)
  await app.register(systemM, { ...compat, publicUrl: config.publicUrl, acceptsAnonymous: config.hasAnonymousAvatars, now })
  const readThrough = await createReadThrough({ folders: config.readThroughDirs, own: [config.uploadsDir, config.databaseFile], isKnown: createKnownPaths({ client, tombstones: tombstoneRecords }) })
  await app.register(oldPaths, { behind: [(path, { view }) => avatars.behind(path, view), (path, { caller }) => attachments.behind(caller, path), readThrough] })
  await app.register(delivery, { coordination, webhook: config.webhook, outbox, events, metrics, now })
  await app.register(limitsRoute, { avatar: onePicture, attachment: manyFiles, chunkBytes: config.resumableChunkBytes, usual: config.callerLimits(''), isReadOnly: config.isReadOnly })
  await app.register(usageRoute, { quota: app.quota, callerLimits: config.callerLimits })
}
