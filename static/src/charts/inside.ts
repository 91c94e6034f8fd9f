// Figures one after the other, ready to draw: a column for each hour, day, week or month of a stretch of time, or
// for each of the neighbouring periods, and below them a band with the share of the time that the hotspot was on.

import type { FiguresRow, InsideUnit, Kpi, Period, RowState, TrendEntry } from '../api'
import type { Key } from '../i18n'

type Figure = 'visits' | 'minutesInUse' | 'filesCreated' | 'filesDeleted'
/** What columns are of: a figure upwards, and perhaps a second one downwards. */
export interface Shown {
  up: Figure
  down?: Figure
  unit: Kpi['unit']
  /** the heads of the table and of the legend */
  heads: Partial<Record<keyof FiguresRow, Key>>
  /** said when all are zero */
  none?: Key
}
const USE = {
  visits: 'popularity.title',
  minutesInUse: 'usage.title',
  minutesOn: 'uptime.on',
} as const
export const SHOWN = {
  visits: { up: 'visits', unit: 'count', heads: USE, none: 'popularity.none' },
  time: { up: 'minutesInUse', unit: 'duration', heads: USE, none: 'usage.none' },
  files: {
    up: 'filesCreated',
    down: 'filesDeleted',
    unit: 'count',
    heads: { filesCreated: 'files.created', filesDeleted: 'files.deleted' },
  },
} satisfies Record<string, Shown>

/** The trend, with times in use that are at most the time on, as they are in all figures but those of the KPIs. */
export const trendOf = (period: Period): TrendEntry[] =>
  period.trend.map((entry) => {
    const { total, aggValue } = period
    if (!total) return entry
    const most = aggValue === entry.aggValue ? total.minutesInUse : entry.nbMinutesOn
    return { ...entry, totalMinutesActivity: Math.min(entry.totalMinutesActivity, most) }
  })

/** A period and its neighbours, as rows. */
export const neighboursOf = (period: Period): FiguresRow[] =>
  trendOf(period).map((entry) => ({
    label: entry.aggValue,
    start: 0,
    end: entry.complete === false ? Infinity : 0, // it is running
    visits: entry.totalVisits,
    minutesInUse: entry.totalMinutesActivity,
    minutesOn: entry.nbMinutesOn,
    filesCreated: entry.filesCreated,
    filesDeleted: entry.filesDeleted,
    state: entry.hasData ? 'counted' : 'no-figures',
  }))

/** Whether a row has figures. */
export const isKnown = (state: RowState): boolean => state === 'counted' || state === 'total-only'

export interface Bar {
  row: FiguresRow
  /** 0..1 of the axis, upwards and downwards */
  height: number
  below: number
  /** counted, and zero */
  empty: boolean
  /** not over yet */
  running: boolean
  state: RowState
}
export interface BandCell {
  /** 0..1 of the width of all columns */
  from: number
  to: number
  /** 0..1 of the time on; null: nothing known, for the reason in `state` */
  on: number | null
  state: RowState
}
export interface Axis {
  top: number
  ticks: number[]
}

/** Round numbers up to the largest value, at most four of them. */
export function axisOf(largest: number): Axis {
  if (largest <= 0) return { top: 1, ticks: [] }
  if (largest <= 2) return { top: largest, ticks: largest === 1 ? [1] : [1, 2] }
  const power = 10 ** Math.floor(Math.log10(largest))
  const steps = [0.2, 0.25, 0.5, 1, 2, 2.5, 5]
    .map((n) => n * power)
    .filter((n) => Number.isInteger(n))
  const step = steps.find((n) => largest / n <= 4) ?? 1
  const count = Math.ceil(largest / step)
  return { top: count * step, ticks: Array.from({ length: count }, (_, i) => (i + 1) * step) }
}

/** An axis for minutes has whole hours from the first hour on. */
export function axisFor(largest: number, unit: Kpi['unit']): Axis {
  if (unit === 'count' || largest <= 60) return axisOf(largest)
  const { top, ticks } = axisOf(Math.ceil(largest / 60))
  return { top: top * 60, ticks: ticks.map((hours) => hours * 60) }
}

export function barsOf(
  rows: readonly FiguresRow[],
  top: number,
  { up, down }: Shown = SHOWN.visits,
  now = 0,
): Bar[] {
  return rows.map((row) => {
    const height = (row[up] ?? 0) / top
    const below = ((down && row[down]) ?? 0) / top
    return {
      ...{ row, height, below, state: row.state },
      empty: row.state === 'counted' && !height && !below,
      running: row.start <= now && now < row.end,
    }
  })
}

/** How much of a row lies in the past, in minutes. */
const passed = (from: number, to: number, now: number): number =>
  Math.max(0, (Math.min(to, now) - from) / 60)

/** A cell for each row. */
function coarse(rows: readonly FiguresRow[], now: number): BandCell[] {
  return rows.map((row, i) => {
    const minutes = passed(row.start, row.end, now)
    return {
      from: i / rows.length,
      to: (i + 1) / rows.length,
      on: isKnown(row.state) && minutes ? Math.min(1, row.minutesOn / minutes) : null,
      state: row.state,
    }
  })
}

/** A cell for each slice of the period that is shorter than a row: the hours of a week's days, the days of a year. */
function fine(period: Period, rows: readonly FiguresRow[], now: number): BandCell[] {
  const { start = 0, end = 0, uptime, total } = period
  const minutes = uptime?.minutes ?? []
  const seconds = (end - start) / minutes.length
  // Days of some zones begin within an hour.
  const first = seconds > 3600 ? start : Math.ceil(start / 3600) * 3600
  return minutes.flatMap((on, i) => {
    const [from, to] = [first + i * seconds, first + (i + 1) * seconds]
    // Where clocks have changed, days do not begin a multiple of 24 hours after the first.
    const inside = seconds > 3600 ? (from + to) / 2 : from
    const at = rows.findIndex((row) => row.start <= inside && inside < row.end)
    const row = rows[at]
    if (!row) return []
    const place = (time: number) => {
      const within = Math.min(row.end, Math.max(row.start, time)) - row.start
      return (at + within / (row.end - row.start)) / rows.length
    }
    const state = stateOf(row.state, on, from, to, now, total?.countedFrom ?? null)
    const past = passed(from, to, now)
    const share = isKnown(state) && past ? Math.min(1, on / past) : null
    return { from: place(from), to: place(to), on: share, state }
  })
}

function stateOf(
  row: RowState,
  on: number,
  from: number,
  to: number,
  now: number,
  countedFrom: number | null,
): RowState {
  if (from >= now) return 'to-come'
  if (on || row !== 'counted') return row
  return countedFrom !== null && to <= countedFrom ? 'not-yet' : 'no-figures'
}

export function bandOf(period: Period, now: number): BandCell[] {
  const rows = period.inside?.rows ?? []
  const slices = period.uptime?.minutes.length ?? 0
  return slices > rows.length ? fine(period, rows, now) : coarse(rows, now)
}

/** Which rows have their name below: all where there is room, else such that steps are even. */
export function namedRows(count: number, by: InsideUnit | 'period', room: number): number[] {
  const all = Array.from({ length: count }, (_, i) => i)
  if (count <= room) return all
  const steps = by === 'hour' ? [2, 3, 6, 12] : [2, 5, 7, 10, 14, 20, 30, 60]
  const step = steps.find((n) => count / n <= room) ?? Math.ceil(count / room)
  return all.filter((i) => i % step === 0)
}
