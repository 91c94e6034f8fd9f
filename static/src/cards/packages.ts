// The two KPIs that are lists of packages, told in one shape: what to call them, where their numbers are.

import { kpi, type Others, type Period, type TrendEntry } from '../api'
import { compact, hoursShort, minutes, number } from '../format'
import type { Key } from '../i18n'

export interface Item {
  package: string
  value: number
  before: number | undefined
}
export interface Ranking {
  items: Item[]
  total: number
  before: number | undefined
  /** beyond the ten; null when there is nothing, or nothing that could be added up */
  others: { value: number; packages: number | null } | null
}
export interface RankingKind {
  view: 'popularity' | 'usage'
  kpiId: 2001 | 2003
  title: Key
  hint: Key
  valueHead: Key
  none: Key
  trendTitle: Key
  format: (n: number) => string
  short: (n: number) => string
  trend: (entry: TrendEntry) => number
  of: (period: Period) => Ranking
}

function ranking(
  items: { package: string; value: number }[],
  previous: { package: string; value: number }[],
  totals: [number, number | undefined],
  others: { value: number; packages: number | null },
): Ranking {
  const earlier = new Map(previous.map((item) => [item.package, item.value]))
  return {
    items: items.map((item) => ({ ...item, before: earlier.get(item.package) })),
    total: totals[0],
    before: totals[1],
    others: others.value > 0 ? others : null,
  }
}

/** Packages beyond the ten listed, from how many there were in all. */
const beyond = (all: number | null, listed: number): number | null =>
  all === null ? null : Math.max(0, all - listed)

export const POPULARITY: RankingKind = {
  view: 'popularity',
  kpiId: 2001,
  title: 'popularity.title',
  hint: 'popularity.hint',
  valueHead: 'table.visits',
  none: 'popularity.none',
  trendTitle: 'popularity.trend',
  format: number,
  short: compact,
  trend: (entry) => entry.totalVisits,
  of(period) {
    const named = (of: Period | Period['previous']) =>
      (kpi(of, 2001)?.items ?? []).map((i) => ({ package: i.package, value: i.visits }))
    const items = named(period)
    const others: Others = period.others
    return ranking(
      items,
      named(period.previous),
      [kpi(period, 2001)?.totalVisits ?? 0, kpi(period.previous, 2001)?.totalVisits],
      { value: others.visits, packages: beyond(others.packagesVisited, items.length) },
    )
  },
}

export const USAGE: RankingKind = {
  view: 'usage',
  kpiId: 2003,
  title: 'usage.title',
  hint: 'usage.hint',
  valueHead: 'table.time',
  none: 'usage.none',
  trendTitle: 'usage.trend',
  format: minutes,
  short: hoursShort,
  trend: (entry) => entry.totalMinutesActivity,
  of(period) {
    const named = (of: Period | Period['previous']) =>
      (kpi(of, 2003)?.items ?? []).map((i) => ({ package: i.package, value: i.minutesActivity }))
    const items = named(period)
    const others: Others = period.others
    return ranking(
      items,
      named(period.previous),
      [
        kpi(period, 2003)?.totalMinutesActivity ?? 0,
        kpi(period.previous, 2003)?.totalMinutesActivity,
      ],
      { value: others.minutesActivity, packages: beyond(others.packagesUsed, items.length) },
    )
  },
}
