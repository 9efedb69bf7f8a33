// The table of contents: everything the gateway is made of, registered in the order a request meets it.
import { performance } from 'node:perf_hooks'
import Fastify, { type FastifyInstance } from 'fastify'
import type { DestinationStream } from 'pino'
import { accountRoutes } from './accounts/routes.ts'
import { createAccountRecords } from './accounts/records.ts'
import { createProfile, createRevocation } from './accounts/service.ts'
import { attachmentRoutes } from './attachments/routes.ts'
import { createAttachmentRecords } from './attachments/records.ts'
import { particularNames } from './attachments/schema.ts'
import { createPreviews } from './attachments/previews.ts'
import { createAttachments } from './attachments/service.ts'
import { createAttachmentUploads } from './attachments/uploads.ts'
import { createFallbacks } from './avatars/fallbacks.ts'
import { avatarRoutes } from './avatars/routes.ts'
import { createAvatarRecords } from './avatars/records.ts'
import { createAvatars } from './avatars/service.ts'
import { showing } from './avatars/showing.ts'
import { createAvatarUploads } from './avatars/uploads.ts'
import { asUserId } from './callers/caller.ts'
import { openKeys } from './callers/keys.ts'
import { createMint } from './callers/mint.ts'
import { oldPaths } from './compat/old-paths.ts'
import { createReadThrough } from './compat/read-through.ts'
import { systemM } from './compat/system-m.ts'
import { systemR, systemRAvatarUrl } from './compat/system-r.ts'
import type { Config } from './config.ts'
import { createScheduledAudit } from './operations/scheduled-audit.ts'
import { limitsRoute } from './plugins/limits.ts'
import { audit } from './plugins/audit.ts'
import { auth } from './plugins/auth.ts'
import { clientErrorHandler } from './plugins/client-errors.ts'
import { connections } from './plugins/connections.ts'
import { cors } from './plugins/cors.ts'
import { erasures } from './plugins/erasures.ts'
import { expectContinue } from './plugins/expect.ts'
import { health } from './plugins/health.ts'
import { images } from './plugins/images.ts'
import { logging, requestLog } from './plugins/logger.ts'
import { methods } from './plugins/methods.ts'
import { createMetrics, metricsEndpoint } from './plugins/metrics.ts'
import { openapi } from './plugins/openapi.ts'
import { overload } from './plugins/overload.ts'
import { frameworkErrors, problems } from './plugins/problems.ts'
import { storage } from './plugins/storage.ts'
import { tellingSweeps } from './plugins/sweep-outcome.ts'
import { upkeep } from './plugins/upkeep.ts'
import { uploadsInFlight } from './plugins/uploads-in-flight.ts'
import { countingUploads } from './plugins/upload-count.ts'
import { validation } from './plugins/validation.ts'
import { createAuditRecord } from './records/audit-state.ts'
import { createLedger } from './records/ledger.ts'
import { createKnownPaths } from './records/old-paths.ts'
import { createOwners } from './records/owners.ts'
import { createSettling } from './records/sidecars.ts'
import { createTombstoneRecords } from './records/tombstones.ts'
import { fileSystem, type FileSystem } from './storage/fs.ts'
import { createSightings } from './storage/orphans.ts'
import { createSweep } from './storage/sweep.ts'
import { findOwnFiles } from './storage/volume/own-files.ts'
import { bodyDeadline } from './transfer/body-deadline.ts'
import { drainUnread } from './transfer/drain.ts'
import { createExports } from './users/export.ts'
import { openReceipts, signingKeyFile } from './users/receipt.ts'
import { createExportRecords } from './users/records.ts'
import { userRoutes } from './users/routes.ts'
import { erasureAt, requireLedger } from './users/service.ts'
import { version } from './version.ts'

/** Headers must be there within this time; bodies have a watchdog of their own instead of a deadline. */
const headersTimeoutMs = 20_000
const maxJsonBytes = 64 * 1024
const maxFilesPerRequest = 10

export type AppOptions = {
  readonly isTerminal?: boolean
  readonly logStream?: DestinationStream & NodeJS.WritableStream
  readonly fs?: FileSystem
  readonly now?: () => Date
  readonly monotonicMs?: () => number
}

/** A gateway that is ready to listen. @throws ConfigError when it must not start; nothing stays open then */
export async function buildApp (config: Config, options: AppOptions = {}): Promise<FastifyInstance> {
  const { isTerminal = false, logStream } = options
  const app = Fastify({
    ...logging({ level: config.logLevel, isTerminal, ...(logStream !== undefined && { stream: logStream }) }),
    trustProxy: config.trustProxy,
    bodyLimit: maxJsonBytes,
    // A start may take long: a migration of a large database, a slow volume.
    pluginTimeout: 0,
    // Node's default of 300 s would end live uploads.
    requestTimeout: 0,
    connectionTimeout: 0,
    http: { headersTimeout: headersTimeoutMs },
    routerOptions: { maxParamLength: 1024 },
    return503OnClosing: false,
    clientErrorHandler,
    frameworkErrors,
  })
  try {
    await compose(app, config, options)
    await app.ready()
    return app
  } catch (error) {
    await app.close()
    throw error
  }
}

async function compose (app: FastifyInstance, config: Config, { fs = fileSystem, now = () => new Date(), monotonicMs = () => performance.now() }: AppOptions): Promise<void> {
  await app.register(connections)
  await app.register(drainUnread)
  await app.register(bodyDeadline)
  await app.register(problems)
  await app.register(validation)
  await app.register(requestLog)
  await app.register(openapi, { version })
  await app.register(storage, { config, fs, monotonicMs })
  const { database: { client, check: checkDatabase }, storage: { store, space, staging, probe, hash, tombstones } } = app

  const metrics = createMetrics({ freeBytes: async () => (await space.measure()).freeBytes, reserveBytes: async () => (await space.measure()).reserveBytes, staging: staging.usage, waitingPictureJobs: () => app.images.waiting() })
  await app.register(metricsEndpoint, { metrics })
  await app.register(cors, config)
  await app.register(methods)
  await app.register(overload, config)
  await app.register(expectContinue)
  await app.register(health, { checks: [{ name: 'volume', check: probe.check }, { name: 'database', check: checkDatabase }] })

  const settling = createSettling({ client, store, now })
  const tombstoneRecords = createTombstoneRecords({ client, tombstones, hash, now })
  const ledger = createLedger({ client, settling, entomb: tombstoneRecords.entomb, now })
  await app.register(upkeep, {
    sweep: tellingSweeps(metrics, createSweep({
      fs, store, ledger, now,
      root: config.uploadsDir,
      removeDeadStaging: staging.removeDead,
      settleSidecars: () => settling.settleDue(),
      look: createSightings({ graceMs: config.sweepGraceMs, monotonicMs }),
      trashMs: config.trashRetentionMs,
      trashMaxBytesPerOwner: config.trashMaxBytesPerOwner,
      maxPercent: config.sweepMaxPercent,
    }).run),
    sweepEveryMs: config.sweepIntervalMs,
    removeDeadStaging: staging.removeDead,
    settleSidecars: () => settling.settleDue({ isStart: true }),
  })

  await requireLedger({ fs, root: config.uploadsDir, secondPlace: config.erasureLedger, erasures: app.storage.erasures })
  const erasure = erasureAt({ fs, root: config.uploadsDir, client, storage: app.storage, ledger, now })
  await app.register(erasures, { erasure, replayEveryMs: config.sweepIntervalMs })

  await app.register(audit, {
    metrics,
    everyMs: config.auditIntervalMs,
    audit: createScheduledAudit({
      surroundings: { fs, root: config.uploadsDir, client, now, storage: app.storage, isOwn: await findOwnFiles(fs, { ...config, root: config.uploadsDir }) },
      record: createAuditRecord(client),
      everyMs: config.auditIntervalMs,
      maxBytesPerDay: config.auditMaxBytesPerDay,
      onRead: metrics.auditRead,
    }),
  })

  const accountRecords = createAccountRecords(client)
  const keys = await openKeys(config)
  await app.register(auth, { config, keys, ...(config.hasAccounts && { isRevoked: createRevocation(accountRecords) }) })

  const owners = createOwners({ client, hash })
  await app.register(uploadsInFlight, { owners })
  const warn = (error: unknown, message: string) => app.log.warn({ err: error }, message)
  await app.register(images, { config, metrics, fs, now })
  const { intake, variants, drawings } = app.images
  const avatarRecords = createAvatarRecords({ client, owners, now })
  const avatars = createAvatars({ settling, warn, records: avatarRecords, show: showing({ store, variants }) })
  const avatarUploads = createAvatarUploads({ store, settling, intake, warn, now, records: avatarRecords, keepsMetadata: config.avatarKeepsMetadata })
  const nameOf = async (id: string) => config.hasAccounts ? (await accountRecords.byId(id))?.displayName : undefined
  const fallbacks = createFallbacks({ drawings, nameOf, now })
  const attachmentRecords = createAttachmentRecords({ client, owners, now })
  const attachments = createAttachments({ store, settling, records: attachmentRecords })
  const attachmentUploads = createAttachmentUploads({ store, intake, now, records: attachmentRecords, keepsMetadata: config.attachmentKeepsMetadata })
  const previews = createPreviews({ attachments, store, variants })
  const pace = { idleMs: config.uploadIdleMs, minBytesPerSecond: config.uploadMinBytesPerSecond }
  const onePicture = { store, ...pace, maxBytes: config.avatarMaxBytes, maxFiles: 1, extraFiles: 'ignored', fieldNames: [] } as const
  const manyFiles = { store, ...pace, maxBytes: config.attachmentMaxBytes, maxFiles: maxFilesPerRequest, extraFiles: 'refused', fieldNames: particularNames } as const
  const countingAvatars = countingUploads(metrics, 'avatar')

  await app.register(avatarRoutes, { avatars, uploads: avatarUploads, fallbacks, receiving: onePicture, counting: countingAvatars })
  await app.register(attachmentRoutes, { attachments, uploads: attachmentUploads, previews, receiving: manyFiles, counting: countingUploads(metrics, 'attachment') })

  await app.register(userRoutes, { erasure, receipts: await openReceipts(signingKeyFile(config.databaseFile)), exports: createExports({ store, records: createExportRecords(client), now }) })

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
  await app.register(limitsRoute, { avatar: onePicture, attachment: manyFiles })
}
