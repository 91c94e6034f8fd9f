// What a card declares next to its component: views, exports and the print are made from it.

import {
  kpiOf,
  valueOf,
  type FiguresTotal,
  type KpiName,
  type PackageFigures,
  type Period,
  type Snapshot,
} from '../api'
import type { IconName } from '../components/Icon.vue'
import type { Key } from '../i18n'
import type { Headlines } from '../kpis'

export interface Card {
  kpi: KpiName
  title: Key
  icon: IconName
  /** what its figures mean, for the About view */
  about: Key[]
  /** its figures in the trend, by their names in tables */
  series: Series[]
  /** for a KPI that lists packages, which the view Packages can sort by it */
  ranking?: RankingView
}
export interface Series {
  name: Key
  figure: keyof Headlines
}
export interface RankingView {
  /** in the names of exported files */
  name: string
  /** in the address of the view Packages */
  sort: string
  hint: Key
  none: Key
  trendTitle: Key
  /** the total as a headline */
  total: (n: number) => string
  /** below the total, and below the table */
  under?: Key
  note?: Key
}

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
  /** whether the packages add up to the total */
  addsUp: boolean
}

/** The figure of a package that a KPI lists, and its name in the comparison. */
const FIGURES: Partial<Record<KpiName, 'visits' | 'minutesInUse'>> = {
  PackagePopularity: 'visits',
  TotalUsage: 'minutesInUse',
}

/** The packages of a KPI that lists them, whatever their figure is called. */
export function ranking(period: Period, name: KpiName): Ranking {
  const { id, addsUp, headline, others } = kpiOf(name)
  const [beyond, packages] = others
  const [total] = headline
  const valueOf = (of: Snapshot | null) =>
    of?.kpis.find((k) => k.kpiId === id)?.value as Record<string, unknown> | undefined
  const itemsOf = (of: Snapshot | null) =>
    ((valueOf(of)?.items ?? []) as Record<string, unknown>[]).map((item) => ({
      package: String(item.package),
      value: Number(Object.values(item).find((n) => typeof n === 'number')),
    }))
  const totalOfKpi = (of: Snapshot | null) => {
    const value = valueOf(of)
    return value && total && Number(value[total])
  }
  const figure = FIGURES[name]
  if (figure && period.packages && period.total)
    return rankingOf(period.packages, figure, period.total, addsUp)
  const items = itemsOf(period)
  const earlier = new Map(itemsOf(period.previous).map((item) => [item.package, item.value]))
  const rest = beyond && period.others[beyond]
  const all = packages && period.others[packages]
  return {
    items: items.map((item) => ({ ...item, before: earlier.get(item.package) })),
    total: totalOfKpi(period) || 0,
    before: totalOfKpi(period.previous) as number | undefined,
    others: rest ? { value: rest, packages: all ? Math.max(0, all - items.length) : null } : null,
    addsUp,
  }
}

const LISTED = 10

/** Of each package that is listed, what it had before, not only of those that were last time's ten. */
export function rankingOf(
  packages: readonly PackageFigures[],
  figure: 'visits' | 'minutesInUse',
  total: FiguresTotal,
  addsUp: boolean,
): Ranking {
  const named = packages.filter((one) => one.package && one[figure])
  const nameless = packages.filter((one) => !one.package && one[figure])
  const sorted = [...named].sort((a, b) => b[figure] - a[figure])
  const rest = [...sorted.slice(LISTED), ...nameless]
  return {
    items: sorted.slice(0, LISTED).map((one) => ({
      package: one.package,
      value: one[figure],
      before: one[`${figure}Before`],
    })),
    total: total[figure],
    before: undefined,
    others: rest.length
      ? {
          value: rest.reduce((sum, one) => sum + one[figure], 0),
          packages: nameless.length ? null : rest.length,
        }
      : null,
    addsUp,
  }
}

/** The totals of a period; from the plain v1 API what its KPIs say. */
export function totalOf(period: Period): Partial<FiguresTotal> {
  return (
    period.total ?? {
      visits: valueOf(period, 'PackagePopularity')?.totalVisits,
      minutesInUse: valueOf(period, 'TotalUsage')?.totalMinutesActivity,
      minutesOn: valueOf(period, 'Uptime')?.nbMinutesOn,
      filesCreated: valueOf(period, 'SharedFiles')?.filesCreated,
      filesDeleted: valueOf(period, 'SharedFiles')?.filesDeleted,
    }
  )
}
