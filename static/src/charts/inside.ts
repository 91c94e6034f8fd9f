// What happened inside a stretch of time, ready to draw: a column of visits for each of its hours, days,
// weeks or months, and below it a band with the share of the time that the hotspot was on.

import type { FiguresRow, InsideUnit, Period, RowState } from '../api'

/** Whether a row has figures. */
export const isKnown = (state: RowState): boolean => state === 'counted' || state === 'total-only'

export interface Bar {
  row: FiguresRow
  /** 0..1 of the axis */
  height: number
  /** nobody came: counted, and no visit */
  empty: boolean
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

export function barsOf(rows: readonly FiguresRow[], top: number): Bar[] {
  return rows.map((row) => ({
    row,
    state: row.state,
    height: row.visits / top,
    empty: row.state === 'counted' && !row.visits,
  }))
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
export function namedRows(count: number, by: InsideUnit, room: number): number[] {
  const all = Array.from({ length: count }, (_, i) => i)
  if (count <= room) return all
  const steps = by === 'hour' ? [2, 3, 6, 12] : [2, 5, 7, 10, 14, 20, 30, 60]
  const step = steps.find((n) => count / n <= room) ?? Math.ceil(count / room)
  return all.filter((i) => i % step === 0)
}
