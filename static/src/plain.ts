// The shapes of our own routes, made from the three routes of the plain v1 API. What that API does not
// have is left out rather than invented: whether a period is complete, and the one before it.

import type { Aggregation, Aggregations, Others, Period, PeriodList, TrendEntry } from './api'
import { get } from './api'
import { KPIS, type Headlines } from './kpis'
import { readLabel, span, type Kind } from './periods'

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

/** Any KPI is numbers by name, and perhaps items that are a package with a number. */
type Value = { items?: Record<string, unknown>[] } & Record<string, unknown>

function beyondListed(value: Value | undefined, total: string): number {
  const listed = (value?.items ?? []).flatMap((item) => Object.values(item))
  const rest = listed.reduce<number>(
    (sum, n) => (typeof n === 'number' ? sum - n : sum),
    Number(value?.[total] ?? 0),
  )
  return Math.max(0, rest)
}

export function plainPeriodOf(label: string, from: Aggregation): Period {
  const valueOf = (kpiId: number, aggValue: string) =>
    from.kpis.find((k) => k.kpiId === kpiId)?.values.find((v) => v.aggValue === aggValue)
      ?.kpiValue as Value | undefined
  const headlines = (aggValue: string) =>
    Object.fromEntries(
      KPIS.flatMap(({ id, headline }) =>
        headline.map((figure) => [figure, valueOf(id, aggValue)?.[figure] ?? 0]),
      ),
    ) as unknown as Headlines

  const trend: TrendEntry[] = from.valuesAll.map((aggValue) => ({
    aggValue,
    complete: null,
    hasData: from.valuesAvailable.includes(aggValue),
    ...headlines(aggValue),
  }))
  const kpis = from.kpis
    .map((k) => ({ kpiId: k.kpiId, value: valueOf(k.kpiId, label) }))
    .filter((k): k is { kpiId: number; value: Value } => k.value !== undefined)
  const others = KPIS.flatMap(({ id, addsUp, headline: [total], others: [beyond, packages] }) =>
    beyond && packages && total
      ? [
          [beyond, addsUp ? beyondListed(valueOf(id, label), total) : null],
          [packages, null],
        ]
      : [],
  )
  return {
    aggKind: span(label).kind as Kind,
    aggValue: label,
    complete: null,
    hasData: kpis.length > 0,
    kpis,
    others: Object.fromEntries(others) as unknown as Others,
    previous: null,
    trend: trend.some((entry) => entry.aggValue === label) ? trend : [],
  }
}
