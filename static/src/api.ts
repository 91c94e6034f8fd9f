// Requests to the API and the shapes of its answers. An answer is cached with its ETag, so that one that
// has not changed does not travel again.

import {
  KPIS,
  type Comparison,
  type Figures,
  type FiguresRow,
  type FiguresTotal,
  type Headlines,
  type KpiValues,
  type Others as KnownOthers,
  type PackageFigures,
} from './kpis'
import type { AnyKind, Kind } from './periods'

export type { Comparison, FiguresRow, FiguresTotal, PackageFigures }
export type KpiName = keyof KpiValues
/** A KPI as engine/kpis/ defines it. One that this page does not know is exported all the same. */
export interface Kpi {
  id: number
  name: KpiName
  unit: 'count' | 'duration'
  /** its figures in the trend */
  headline: (keyof Headlines)[]
  /** what lies beyond the ten packages listed, and how many there are in all; empty without packages */
  others: (keyof KnownOthers)[]
  /** the packages add up to the first headline: not so with times that overlap */
  addsUp: boolean
}

export type RowState = FiguresRow['state']
export type InsideUnit = 'hour' | 'day' | 'week' | 'month'
export interface Inside {
  by: InsideUnit
  rows: FiguresRow[]
}
export type FiguresOf<Row> = Omit<Figures, 'rows'> & { rows: Row[] }

export interface Snapshot {
  aggKind: AnyKind
  aggValue: string
  start?: number
  end?: number
  /** null: not known (plain v1 API) */
  complete: boolean | null
  hasData: boolean
  elapsedMinutes?: number
  kpis: { kpiId: number; value: object }[]
}
export interface TrendEntry extends Headlines {
  aggValue: string
  complete: boolean | null
  hasData: boolean
}
/** null: not known (plain v1 API) */
export type Others = { [Figure in keyof KnownOthers]: number | null }
export interface Period extends Snapshot {
  others: Others
  previous: Snapshot | null
  trend: TrendEntry[]
  /** minutes on in each consecutive hour or day of the period; older servers do not send it */
  uptime?: { unit: 'hour' | 'day'; minutes: number[] } | null
  /** not from the plain v1 API, as all that follows */
  total?: FiguresTotal
  packages?: PackageFigures[]
  comparisons?: { before: Comparison | null; year: Comparison | null }
  inside?: Inside
}
export interface PeriodEntry {
  aggKind: Kind
  aggValue: string
  start?: number
  end?: number
  complete?: boolean
}
export interface PeriodList {
  timezone: string | null
  periods: PeriodEntry[]
}
export type VerdictState = 'counting' | 'waiting' | 'doubtful' | 'unknown' | 'not-counting'
export interface VerdictReason {
  code: string
  state: VerdictState
  /** the numbers and names of its sentence */
  values: Record<string, string | number>
  text: string
  remedy: string
}
/** the worst reason first */
export interface Verdict {
  state: VerdictState
  reasons: VerdictReason[]
}
export interface Status {
  version: string
  serverTime: number
  startedAt?: number
  timezone: string
  site: { name: string | null; fqdn: string | null; id?: string | null; logo?: string | null }
  processing: boolean
  /** older servers do not send it */
  verdict?: Verdict
  collectingSince: number | null
  lastLineAt: number | null
  lastSaveAt: number | null
  lines?: Record<string, number>
  packages?: {
    stale: boolean
    message: string | null
    warnings: string[]
    items: { title: string; kinds: string[]; lastSeenAt: number | null }[]
  }
  reader?: {
    kind: string | null
    state: string
    restarts: number
    lagBytes: number | null
    files: number
  }
  loss?: { bytes: number | null; atLeast: boolean }
  clock?: {
    trusted: boolean | null
    steadySeconds: number
    steps: { at: number; seconds: number }[]
  }
  disk?: { databaseBytes: number | null; freeBytes: number | null }
  health?: { ok: boolean; reasons: string[] }
}
export interface Aggregation {
  valuesAvailable: string[]
  valuesAll: string[]
  kpis: { kpiId: number; values: { aggValue: string; kpiValue: object }[] }[]
}
export interface Aggregations {
  aggregations: { kind: Kind; value: string }[]
}

/** The server is there and has no such thing. */
export class NotThere extends Error {}
/** No answer, or one that is no answer: worth another try. */
export class OutOfReach extends Error {}

const ANSWER_DEADLINE_MS = 20_000
/** The oldest answer leaves the cache first. */
const CACHED_ANSWERS = 40

const cached = new Map<string, { etag: string; body: unknown }>()

export async function get<T>(path: string): Promise<T> {
  const aborter = new AbortController()
  const deadline = setTimeout(() => aborter.abort(), ANSWER_DEADLINE_MS)
  const before = cached.get(path)
  try {
    const headers: Record<string, string> = {}
    if (before) headers['If-None-Match'] = before.etag
    const answer = await fetch(`/api/v1/${path}`, { headers, signal: aborter.signal })
    if (answer.status === 304 && before) return before.body as T
    if (answer.status === 404 || answer.status === 422) throw new NotThere(path)
    if (!answer.ok) throw new OutOfReach(`${path}: ${answer.status}`)
    const body = (await answer.json()) as T
    const etag = answer.headers.get('ETag')
    cached.delete(path)
    if (etag) cached.set(path, { etag, body })
    const oldest = cached.keys().next()
    if (cached.size > CACHED_ANSWERS && !oldest.done) cached.delete(oldest.value)
    return body
  } catch (error) {
    if (error instanceof NotThere) throw error
    throw new OutOfReach(String(error))
  } finally {
    clearTimeout(deadline)
  }
}

export const kpiOf = (name: KpiName): Kpi => KPIS.find((kpi) => kpi.name === name) as Kpi

/** One KPI of a period; undefined when the server did not send it. */
export function valueOf<Name extends KpiName>(
  of: Snapshot | null,
  name: Name,
): KpiValues[Name] | undefined {
  const { id } = kpiOf(name)
  return of?.kpis.find((k) => k.kpiId === id)?.value as KpiValues[Name] | undefined
}
