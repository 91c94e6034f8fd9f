// What a view shows as CSV or JSON text, and the name of the file.

import type { Kpi, Period, Snapshot, Status } from './api'
import { rankingOf } from './cards'
import { KPIS } from './kpis'
import { slug } from './periods'

type Row = [string, string, number, string, string, string, number]

const knownKpi = (id: number): Kpi | undefined => KPIS.find((kpi) => kpi.id === id)

/** What of a period a view shows: of one KPI where the view is a ranking, else all. */
export function shownIn(view: string, period: Period): Period {
  const shown = rankingOf(view)?.kpi
  if (!shown) return period
  const foreign = KPIS.filter((kpi) => kpi.name !== shown)
  const kpisOf = (of: Snapshot) => of.kpis.filter((k) => knownKpi(k.kpiId)?.name === shown)
  const without = <T extends object>(whole: T, figures: string[]) =>
    Object.fromEntries(Object.entries(whole).filter(([name]) => !figures.includes(name))) as T
  const others = foreign.flatMap((kpi) => kpi.others)
  const headlines = foreign.flatMap((kpi) => kpi.headline)
  return {
    ...period,
    kpis: kpisOf(period),
    previous: period.previous && { ...period.previous, kpis: kpisOf(period.previous) },
    others: without(period.others, others),
    trend: period.trend.map((entry) => without(entry, headlines)),
    uptime: undefined,
  }
}

/** Any KPI is numbers by name, and items that are a package with numbers by name. */
function rowsOf(kind: string, label: string, kpiId: number, value: object): Row[] {
  const name = knownKpi(kpiId)?.name ?? `KPI ${kpiId}`
  const rows: Row[] = []
  for (const [metric, figure] of Object.entries(value)) {
    if (typeof figure === 'number') rows.push([kind, label, kpiId, name, '', metric, figure])
    if (!Array.isArray(figure)) continue
    for (const item of figure as Record<string, unknown>[])
      for (const [itemMetric, n] of Object.entries(item))
        if (typeof n === 'number')
          rows.push([kind, label, kpiId, name, String(item.package ?? ''), itemMetric, n])
  }
  return rows
}

export function csvRows(view: string, all: Period): Row[] {
  const period = shownIn(view, all)
  const rows = period.kpis.flatMap(({ kpiId, value }) => {
    const [key] = knownKpi(kpiId)?.others ?? []
    const others = key && period.others[key]
    const beyond = others ? { [key.replace(/^./, (c) => `others${c.toUpperCase()}`)]: others } : {}
    return rowsOf(period.aggKind, period.aggValue, kpiId, { ...value, ...beyond })
  })
  for (const { kpiId } of period.kpis)
    for (const entry of period.trend) {
      if (entry.aggValue === period.aggValue || !entry.hasData) continue
      const { headline = [] } = knownKpi(kpiId) ?? {}
      const figures = Object.fromEntries(headline.map((figure) => [figure, entry[figure]]))
      rows.push(...rowsOf(period.aggKind, entry.aggValue, kpiId, figures))
    }
  return rows
}

// The same as in engine/csv_text.py, where the reasons are; tests/csv_cells.json has cases for both.
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

export function toCsv(view: string, period: Period): string {
  const head = 'agg_kind,agg_value,kpi_id,kpi,package,metric,value'
  const lines = csvRows(view, period).map((row) => row.map(cell).join(','))
  // Without the mark, spreadsheets take UTF-8 for their own old encoding.
  return '\ufeff' + [head, ...lines].join('\r\n') + '\r\n'
}

export function toJson(
  view: string,
  period: Period,
  status: Status | null,
  exportedAt: number,
): string {
  const site = status && { ...status.site, version: status.version, timezone: status.timezone }
  return JSON.stringify({ site, exportedAt, ...shownIn(view, period) }, null, 2) + '\n'
}

/** ASCII only: some phones lose other names. */
export function fileName(
  view: string,
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
