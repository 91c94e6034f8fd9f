// In: what a view shows. Out: the same as CSV or JSON text, and a file name that says what it is.

import type { Others, Period, Snapshot, Status, TrendEntry } from './api'
import type { View } from './route'
import { slug } from './periods'

export const KPI_NAMES: Record<number, string> = {
  2001: 'PackagePopularity',
  2003: 'TotalUsage',
  2004: 'Uptime',
  2005: 'SharedFiles',
}

/** The KPIs that a view shows; all of them where it is not named. */
const SHOWN_IN: Partial<Record<View, number[]>> = { popularity: [2001], usage: [2003] }

/** Which neighbouring figures belong to which KPI. */
const TREND: Record<number, (keyof TrendEntry)[]> = {
  2001: ['totalVisits'],
  2003: ['totalMinutesActivity'],
  2004: ['nbMinutesOn'],
  2005: ['filesCreated', 'filesDeleted'],
}

/** What lies beyond the listed packages, by KPI; none where nothing is left out. */
const OTHERS: Record<number, (keyof Others)[]> = {
  2001: ['visits', 'packagesVisited'],
  2003: ['minutesActivity', 'packagesUsed'],
}

type Row = [string, string, number, string, string, string, number]

export function shownIn(view: View, period: Period): Period {
  const ids = SHOWN_IN[view]
  if (!ids) return period
  const kpisOf = (of: Snapshot) => of.kpis.filter((k) => ids.includes(k.kpiId))
  const without = <T extends object>(held: T, names: Record<number, string[]>): T => {
    const kept = { ...held }
    for (const [id, metrics] of Object.entries(names))
      if (!ids.includes(Number(id))) for (const metric of metrics) delete kept[metric as keyof T]
    return kept
  }
  return {
    ...period,
    kpis: kpisOf(period),
    previous: period.previous && { ...period.previous, kpis: kpisOf(period.previous) },
    others: without(period.others, OTHERS),
    trend: period.trend.map((entry) => without(entry, TREND)),
    uptime: undefined,
  }
}

/** Any KPI is numbers by name, and items that are a package with numbers by name. */
function rowsOf(kind: string, label: string, kpiId: number, value: object): Row[] {
  const name = KPI_NAMES[kpiId] ?? `KPI ${kpiId}`
  const rows: Row[] = []
  for (const [metric, held] of Object.entries(value)) {
    if (typeof held === 'number') rows.push([kind, label, kpiId, name, '', metric, held])
    if (!Array.isArray(held)) continue
    for (const item of held as Record<string, unknown>[])
      for (const [itemMetric, n] of Object.entries(item))
        if (typeof n === 'number')
          rows.push([kind, label, kpiId, name, String(item.package ?? ''), itemMetric, n])
  }
  return rows
}

export function csvRows(view: View, all: Period): Row[] {
  const period = shownIn(view, all)
  const rows = period.kpis.flatMap(({ kpiId, value }) => {
    const [key] = OTHERS[kpiId] ?? []
    const others = key && period.others[key]
    const beyond = others ? { [key.replace(/^./, (c) => `others${c.toUpperCase()}`)]: others } : {}
    return rowsOf(period.aggKind, period.aggValue, kpiId, { ...value, ...beyond })
  })
  for (const { kpiId } of period.kpis)
    for (const entry of period.trend) {
      if (entry.aggValue === period.aggValue || !entry.hasData) continue
      for (const metric of TREND[kpiId] ?? [])
        rows.push([
          period.aggKind,
          entry.aggValue,
          kpiId,
          KPI_NAMES[kpiId] ?? '',
          '',
          metric,
          Number(entry[metric]),
        ])
    }
  return rows
}

// The same as in engine/csv_text.py, where the reasons are; tests/csv_cells.json holds both to it.
const INVISIBLE =
  '\\x00-\\x20\\x7f-\\xa0\\xad\\u0300-\\u036f\\u061c\\u115f\\u1160\\u1680\\u17b4\\u17b5\\u180b-\\u180f' +
  '\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u2800\\u3000\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0' +
  '\\ufff0-\\ufffb\\u{e0000}-\\u{e0fff}'
const BEFORE = `,;|\\t\\n-\\r\\x1c-\\x1f\\x85\\u2028\\u2029"'`
// eslint-disable-next-line no-misleading-character-class -- combining marks are meant one by one
const FORMULA = new RegExp(`(^|[${BEFORE}])([${INVISIBLE}]*)(?=[=+\\-@＝＋－＠﹦﹢﹣﹫−])`, 'gu')

/** A spreadsheet runs a cell that begins like a formula, wherever its separator lets one begin. */
function cell(value: string | number): string {
  if (typeof value === 'number') return String(value)
  const text = value.replace(FORMULA, "$1$2'").replace(/^(?=[\t\r\n])/, "'")
  return `"${text.replace(/"/g, '""')}"`
}

export function toCsv(view: View, period: Period): string {
  const head = 'agg_kind,agg_value,kpi_id,kpi,package,metric,value'
  const lines = csvRows(view, period).map((row) => row.map(cell).join(','))
  // Without the mark, spreadsheets take UTF-8 for their own old encoding.
  return '\ufeff' + [head, ...lines].join('\r\n') + '\r\n'
}

export function toJson(
  view: View,
  period: Period,
  status: Status | null,
  exportedAt: number,
): string {
  const site = status && { ...status.site, version: status.version, timezone: status.timezone }
  return JSON.stringify({ site, exportedAt, ...shownIn(view, period) }, null, 2) + '\n'
}

/** ASCII only: some phones lose other names. */
export function fileName(
  view: View,
  label: string,
  status: Status | null,
  extension: string,
): string {
  const name = (status?.site.name ?? '')
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40)
  const parts = ['offspot-metrics', name, view === 'overview' ? '' : view, slug(label)]
  return `${parts.filter(Boolean).join('_')}.${extension}`
}

export function download(name: string, type: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type }))
  const link = document.createElement('a')
  link.href = address
  link.download = name
  document.body.appendChild(link)
  link.click()
  link.remove()
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}
