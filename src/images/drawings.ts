// Pictures drawn for users who have none: as SVG, or as a picture of a size and format; kept in memory, as they are small and made in no time.
import { LRUCache } from 'lru-cache'
import { entryOf, factsOf, type Entry } from './cache/entry.ts'
import { fallbackSvg, generatorVersion, type FallbackKind } from './fallback/fallback.ts'
import { meaningOf } from './job-failures.ts'
import type { Processes } from './processes/pool.ts'
import { weightOfOutput } from './processes/weight.ts'
import type { VariantSpec } from './spec.ts'
import type { Rendered } from './types.ts'

type Raster = Pick<VariantSpec, 'size' | 'format'>

const keptBytes = 8 * 1024 ** 2

export type Drawings = ReturnType<typeof createDrawings>

export function createDrawings ({ processes }: { processes: Pick<Processes, 'run'> }) {
  const kept = new LRUCache<string, Entry>({ maxSize: keptBytes, sizeCalculation: ({ size }) => size + 1024 })
  const making = new Map<string, Promise<Entry>>()

  async function make (svg: string, raster: Raster | undefined): Promise<Entry> {
    const rendered = raster === undefined ? asSvg(svg) : await processes.run('draw', { svg, ...raster }, { weight: weightOfOutput(raster), line: 'drawing' }).catch((error: unknown) => { throw meaningOf(error) })
    return entryOf(await factsOf(rendered), rendered.bytes)
  }

  return {
    /** Without `raster` the SVG itself. @throws ImagesBusy, ServiceStopping */
    async get (kind: FallbackKind, user: { userId: string, name: string | undefined }, raster?: Raster): Promise<Entry> {
      const key = JSON.stringify([generatorVersion, kind, user.userId, user.name, raster?.size, raster?.format])
      const known = kept.get(key)
      if (known !== undefined) return known
      const made = making.get(key) ?? fallbackSvg(kind, user).then((svg) => make(svg, raster)).then((entry) => {
        kept.set(key, entry)
        return entry
      }).finally(() => making.delete(key))
      making.set(key, made)
      return made
    },
  }
}

const asSvg = (svg: string): Rendered => ({ bytes: Buffer.from(svg), contentType: 'image/svg+xml', width: 100, height: 100 })
