// The figures of any stretch of days, in the shape of those of a period.

import {
  get,
  type FiguresOf,
  type FiguresRow,
  type InsideUnit,
  type PackageFigures,
  type Period,
} from './api'
import { KPIS, type Headlines } from './kpis'
import { DAY_MS, labelOf, span } from './periods'

const LISTED = 10
/** From so many days on, a column of the chart is a day, a week, a month. */
const BY: [number, InsideUnit][] = [
  [730, 'month'],
  [100, 'week'],
  [2, 'day'],
]

/** The first and the last day of a period or a stretch, as the API takes them. */
export function datesOf(label: string): { from: string; to: string } {
  const { first, after } = span(label)
  return { from: labelOf('D', first), to: labelOf('D', after - DAY_MS) }
}

export function unitOf(label: string): InsideUnit {
  const { first, after } = span(label)
  const days = (after - first) / DAY_MS
  return BY.find(([least]) => days >= least)?.[1] ?? 'hour'
}

/** The address of figures, below /api/v1/. */
export function figuresPath(label: string, wanted: Record<string, string> = {}): string {
  return `figures?${new URLSearchParams({ ...datesOf(label), ...wanted })}`
}

export async function stretchPeriod(label: string): Promise<Period> {
  const unit = unitOf(label)
  const [packages, inside, year] = await Promise.all([
    get<FiguresOf<PackageFigures>>(figuresPath(label, { by: 'package', compare: 'before' })),
    get<FiguresOf<FiguresRow>>(figuresPath(label, { by: unit })),
    get<FiguresOf<FiguresRow>>(figuresPath(label, { by: 'month', compare: 'year' })),
  ])
  return periodOf(label, packages, { by: unit, rows: inside.rows }, year)
}

/** The packages that most of something fell to, as a KPI lists them, and what lies beyond. */
function listed(packages: PackageFigures[], figure: 'visits' | 'minutesInUse') {
  const found = packages
    .filter((one) => one.package && one[figure])
    .sort((a, b) => b[figure] - a[figure])
  const rest = [...found.slice(LISTED), ...packages.filter((one) => !one.package)]
  const beyond = rest.reduce((sum, one) => sum + one[figure], 0)
  return { top: found.slice(0, LISTED), beyond, all: found.length }
}

export function periodOf(
  label: string,
  figures: FiguresOf<PackageFigures>,
  inside: Period['inside'],
  year: FiguresOf<FiguresRow>,
): Period {
  const { total, rows, start, end, complete, comparison } = figures
  const visits = listed(rows, 'visits')
  const used = listed(rows, 'minutesInUse')
  const values: Record<string, object> = {
    PackagePopularity: {
      items: visits.top.map((one) => ({ package: one.package, visits: one.visits })),
      totalVisits: total.visits,
    },
    TotalUsage: {
      items: used.top.map((one) => ({
        package: one.package,
        minutesActivity: one.minutesInUse,
      })),
      totalMinutesActivity: total.minutesInUse,
    },
    Uptime: { nbMinutesOn: total.minutesOn },
    SharedFiles: { filesCreated: total.filesCreated, filesDeleted: total.filesDeleted },
  }
  const headlines = {
    totalVisits: total.visits,
    totalMinutesActivity: total.minutesInUse,
    nbMinutesOn: total.minutesOn,
    filesCreated: total.filesCreated ?? 0,
    filesDeleted: total.filesDeleted ?? 0,
  } as Headlines
  const hasData = total.daysOn > 0 || total.daysInUse > 0 || total.visits > 0
  return {
    aggKind: 'S',
    aggValue: label,
    start,
    end,
    complete,
    hasData,
    kpis: KPIS.flatMap(({ id, name }) =>
      values[name] ? [{ kpiId: id, value: values[name] }] : [],
    ),
    others: {
      visits: visits.beyond,
      packagesVisited: visits.all,
      minutesActivity: used.beyond,
      packagesUsed: used.all,
    } as Period['others'],
    previous: null,
    trend: [{ aggValue: label, complete, hasData, ...headlines }],
    total,
    packages: rows,
    comparisons: { before: comparison ?? null, year: year.comparison ?? null },
    inside,
  }
}
