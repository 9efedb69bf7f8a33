// Takes what is personal out of the pictures that are kept already. commands/privacy.ts is its command line.
import { setTimeout } from 'node:timers/promises'
import type { Config } from '../config.ts'
import { createExamining } from '../images/examining.ts'
import type { Processes } from '../images/processes/pool.ts'
import { currentType, storedPictureTypes } from '../images/types.ts'
import { createOwners } from '../records/owners.ts'
import { createPictureCopies, type PictureCopies } from '../records/picture-copies.ts'
import { createUnseenPictures, type UnseenFilter } from '../records/unseen-pictures.ts'
import { isFull } from '../storage/failures.ts'
import { newBlobId } from '../storage/ids.ts'
import type { Doomed } from '../storage/ledger.ts'
import type { Sidecar } from '../storage/sidecar.ts'
import type { BlobAddress, Kind } from '../storage/store.ts'
import { atOnce } from './backup/at-once.ts'
import { patiently } from './patience.ts'
import { jobsAtOnce, withProcesses, type PictureConfig } from './picture-processes.ts'
import { createStripping, left, leftBecause, type Outcome } from './privacy/stripping.ts'
import { createTally, type PrivacyTally } from './privacy/tally.ts'
import type { Progress } from './progress.ts'
import { Refusal } from './refusal.ts'
import type { Workplace } from './workplace.ts'

/** As others see it on the volume. */
export const privacySweepWork = 'privacy sweep'

/** Announced together, and removed together. */
const perPage = 64

/** So long a request has to open the file whose record it has read. */
const readersMs = 1000

/** Between two looks whether a backup has ended. */
const waitMs = 1000

export type PrivacySweepConfig = Pick<Config, 'avatarKeepsMetadata' | 'attachmentKeepsMetadata'> & PictureConfig

export type PrivacyReport = PrivacyTally & {
  readonly isDryRun: boolean
  /** Begun by a run that was killed, and finished now. */
  readonly finished: number
  readonly kept: {
    /** Pictures whose uploaders asked for it. */
    readonly asked: number
    /** Pictures that services attached, unless those are taken in. */
    readonly services: number
    /** Kinds that the settings keep as they are. */
    readonly kinds: readonly Kind[]
  }
}

type Options = {
  readonly isRun: boolean
  readonly kind?: Kind | undefined
  readonly ownerId?: string | undefined
  /** Also what services attached. */
  readonly withServices?: boolean
  readonly progress: Progress
  /** Its own, unless given. */
  readonly processes?: Pick<Processes, 'run'>
  readonly pause?: (ms: number) => Promise<unknown>
}

/**
 * Safe to kill at any point, and beside a gateway: each picture is there with its metadata or without, in one place, and the next run goes on.
 * @throws Refusal when another run is at work, or the volume is full
 */
export async function privacySweep (workplace: Workplace, config: PrivacySweepConfig, options: Options): Promise<PrivacyReport> {
  if (options.processes !== undefined) return sweep(workplace, config, options, options.processes)
  return withProcesses(config, (processes) => sweep(workplace, config, options, processes))
}

function filterOf ({ avatarKeepsMetadata, attachmentKeepsMetadata }: PrivacySweepConfig, { kind, ownerId, withServices = false }: Options): UnseenFilter & { readonly keptKinds: readonly Kind[] } {
  const asked = kind === undefined ? ['avatar', 'attachment'] as const : [kind]
  const isKept = { avatar: avatarKeepsMetadata, attachment: attachmentKeepsMetadata }
  return { kinds: asked.filter((one) => !isKept[one]), keptKinds: asked.filter((one) => isKept[one]), contentTypes: storedPictureTypes, ownerId, withServices }
}

/** Copies are stored under the type that is shown. */
const asShown = <Found extends Sidecar | undefined>(one: Found): Found => one === undefined ? one : { ...one, contentType: currentType(one.contentType) }

async function sweep (workplace: Workplace, config: PrivacySweepConfig, options: Options, processes: Pick<Processes, 'run'>): Promise<PrivacyReport> {
  const { client, now, settling, storage: { store, hash } } = workplace
  const { isRun, progress, pause = setTimeout } = options
  const filter = filterOf(config, options)
  const pictures = createUnseenPictures({ client, now })
  const copies = createPictureCopies({ client, owners: createOwners({ client, hash }), now })
  const tally = createTally()
  if (isRun) await refuseSecond(workplace)
  const strip = createStripping({ store, pictures, copies, settling, examining: createExamining(patiently(processes, pause), { line: 'variant' }), look: async (id) => asShown(await pictures.find(id, filter)), isDryRun: !isRun })
  const clearing = createClearing(workplace, copies, tally, options)
  const finished = isRun ? await clearing.finishEarlier() : 0
  const jobs = jobsAtOnce(config)

  async function work (page: readonly Sidecar[]): Promise<Doomed[]> {
    const tasks = page.map((one) => ({ one, copy: { kind: one.kind, extension: one.extension, id: newBlobId() } }))
    const announced = isRun ? await copies.announce(tasks.map(({ copy }) => copy)) : undefined
    const outcomes: Outcome[] = []
    await atOnce(jobs, tasks, async ({ one, copy }) => {
      const outcome = await strip(asShown(one), copy.id)
      outcomes.push(outcome)
      tally.add(one, outcome)
      progress.advance()
    })
    // A draft that could not be taken back is looked for by the next run.
    const isWhole = outcomes.every((outcome) => outcome.outcome !== 'left' || outcome.code !== 'failed')
    if (announced !== undefined && isWhole) await copies.withdraw(announced)
    return outcomes.flatMap((outcome) => outcome.outcome === 'stripped' && outcome.original !== undefined ? [outcome.original] : [])
  }

  progress.step(isRun ? 'Taking out what is personal' : 'Looking', await pictures.count(filter))
  try {
    let replaced: Doomed[] = []
    for await (const page of pictures.pages(filter, perPage)) {
      if (isRun) await clearing.untilNoBackup()
      const before = replaced
      replaced = await work(page)
      await clearing.remove(before)
    }
    if (replaced.length > 0) await pause(readersMs)
    await clearing.remove(replaced)
  } catch (error) {
    throw stopped(error, tally.report())
  }
  return { isDryRun: !isRun, finished, ...tally.report(), kept: { ...await pictures.kept(filter), kinds: filter.keptKinds } }
}

/** A full disk is a clear answer; other failures say themselves what they are. */
function stopped (error: unknown, { stripped, clean }: PrivacyTally): unknown {
  if (!isFull(error)) return error
  return new Refusal(`The storage is full: the run stopped after ${stripped.files + clean.files} pictures, which are done. Free some space on the volume, or lower DISK_RESERVE, and run it again: it goes on with the rest.`)
}

/** They would do the same twice. */
async function refuseSecond ({ storage: { staging } }: Workplace): Promise<void> {
  const [other] = await staging.living({ relevant: ({ work }) => work === privacySweepWork })
  if (other !== undefined) throw new Refusal(`Another privacy sweep is at work on this volume, as process ${other.pid}. Wait for its end and run this again.`)
}

/** Removes the pictures whose copies are in their place, and what runs left that were killed. */
function createClearing ({ ledger, storage: { store, staging } }: Workplace, copies: PictureCopies, tally: ReturnType<typeof createTally>, { progress, pause = setTimeout }: Options) {
  /** A copy's sidecar says that it counts before the original goes. */
  async function removeOne (original: Doomed): Promise<void> {
    try {
      await ledger.settleHidden(original)
      await store.removeForGood(original)
      await ledger.purged(original.id)
    } catch (error) {
      const { code, reason } = leftBecause(error)
      tally.leave(original, left(code, `its copy without metadata is in its place, but what was there could not be removed (${reason}): run this again`))
    }
  }

  /** What it has in its copy of the database, it must find on the volume, or the backup would be without it. */
  async function untilNoBackup (): Promise<void> {
    const running = async () => (await staging.living({ relevant: ({ work }) => work === 'backup' })).length > 0
    if (!await running()) return
    progress.say('A backup is under way: waiting for its end.')
    do await pause(waitMs); while (await running())
  }

  /** At once: the listing of a day's folder is shared. */
  async function remove (originals: readonly Doomed[]): Promise<void> {
    if (originals.length === 0) return
    await untilNoBackup()
    await atOnce(perPage, originals, removeOne)
  }

  /** A draft that no row points at; its id is taken first, so that no commit can come for it. */
  async function removeDraft (draft: BlobAddress): Promise<void> {
    const isUnknown = await ledger.claimOrphan(draft) || (await ledger.states([draft.id])).get(draft.id) === 'swept'
    if (isUnknown) await store.removeForGood(draft)
  }

  return {
    untilNoBackup,
    remove,

    /** Returns how many pictures of earlier runs went. */
    async finishEarlier (): Promise<number> {
      for (const { key, addresses } of await copies.announced()) {
        for (const address of addresses) await removeDraft(address)
        await copies.withdraw(key)
      }
      let finished = 0
      for await (const originals of copies.replaced()) {
        await remove(originals)
        finished += originals.length
      }
      return finished
    },
  }
}
