// In: the three routes of the plain v1 API. Out: the same shapes that our own routes give, with what
// that API cannot tell left out (nothing is invented: no completeness, no earlier period).

import type {
  Aggregation,
  Aggregations,
  Period,
  PeriodList,
  SharedFiles,
  TrendEntry,
  Uptime,
  Usage,
  Visits,
} from './api'
import { get } from './api'
import { readLabel, span } from './periods'

export async function plainPeriods(): Promise<PeriodList> {
  const { aggregations } = await get<Aggregations>('aggregations')
  const periods = aggregations
    .filter((a) => readLabel(a.value))
    .map((a) => ({ aggKind: a.kind, aggValue: a.value }))
    .sort((a, b) => span(b.aggValue).first - span(a.aggValue).first)
  return { timezone: null, periods }
}

export async function plainPeriod(label: string): Promise<Period> {
  const { kind } = span(label)
  return plainPeriodOf(label, await get<Aggregation>(`aggregations/${kind}`))
}

export function plainPeriodOf(label: string, from: Aggregation): Period {
  const valueOf = <T>(kpiId: number, aggValue: string): T | undefined =>
    from.kpis.find((k) => k.kpiId === kpiId)?.values.find((v) => v.aggValue === aggValue)
      ?.kpiValue as T | undefined

  const trend: TrendEntry[] = from.valuesAll.map((aggValue) => ({
    aggValue,
    complete: null,
    hasData: from.valuesAvailable.includes(aggValue),
    totalVisits: valueOf<Visits>(2001, aggValue)?.totalVisits ?? 0,
    totalMinutesActivity: valueOf<Usage>(2003, aggValue)?.totalMinutesActivity ?? 0,
    nbMinutesOn: valueOf<Uptime>(2004, aggValue)?.nbMinutesOn ?? 0,
    filesCreated: valueOf<SharedFiles>(2005, aggValue)?.filesCreated ?? 0,
    filesDeleted: valueOf<SharedFiles>(2005, aggValue)?.filesDeleted ?? 0,
  }))
  const kpis = from.kpis
    .map((k) => ({ kpiId: k.kpiId, value: valueOf<object>(k.kpiId, label) }))
    .filter((k): k is { kpiId: number; value: object } => k.value !== undefined)
  const visits = valueOf<Visits>(2001, label)
  const top = (visits?.items ?? []).reduce((sum, item) => sum + item.visits, 0)
  return {
    aggKind: span(label).kind,
    aggValue: label,
    complete: null,
    hasData: kpis.length > 0,
    kpis,
    others: {
      visits: Math.max(0, (visits?.totalVisits ?? 0) - top),
      packagesVisited: null,
      minutesActivity: 0,
      packagesUsed: null,
    },
    previous: null,
    trend: trend.some((entry) => entry.aggValue === label) ? trend : [],
  }
}
