// The minutes on of a period as rows of cells, ready to draw:
//   day: one row of 24 hours · week: seven rows of 24 hours · month: one row of days · year: a row a month
// Hours are put where the hotspot's own clock said they were; an hour that a clock change skips stays
// empty, one that it repeats is shown once, filled by both.

import type { Period } from '../api'
import { labelOf, span } from '../periods'

export interface Cell {
  /** 0..1 of the time; null: unknown, see `why` */
  on: number | null
  /** still to come (or no such time), or a day before the first that has figures */
  why?: 'later' | 'before'
  minutes: number
  /** UTC midnight of the day it is in, and the hour when it is one */
  day: number
  hour: number | null
}
export interface Row {
  /** UTC midnight of its first day */
  day: number
  cells: Cell[]
}

const DAY_MS = 86_400_000
const HOURS = 24

function localHour(timezone: string): (epochSeconds: number) => { day: number; hour: number } {
  let format: Intl.DateTimeFormat
  const options: Intl.DateTimeFormatOptions = {
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    hourCycle: 'h23',
  }
  try {
    format = new Intl.DateTimeFormat('en-u-ca-gregory-nu-latn', { ...options, timeZone: timezone })
  } catch {
    format = new Intl.DateTimeFormat('en-u-ca-gregory-nu-latn', { ...options, timeZone: 'UTC' })
  }
  return (epochSeconds) => {
    const found: Record<string, number> = {}
    for (const part of format.formatToParts(epochSeconds * 1000))
      found[part.type] = Number(part.value)
    const { year = 0, month = 1, day = 1, hour = 0 } = found
    return { day: Date.UTC(year, month - 1, day), hour: hour % HOURS }
  }
}

function hourRows(period: Period, timezone: string, now: number): Row[] {
  const { first, after } = span(period.aggValue)
  const where = localHour(timezone)
  const rows = new Map<number, Row>()
  for (let day = first; day < after; day += DAY_MS)
    rows.set(day, {
      day,
      cells: Array.from({ length: HOURS }, (_, hour) => ({ on: null, minutes: 0, day, hour })),
    })
  period.uptime?.minutes.forEach((minutes, i) => {
    const start = (period.start ?? 0) + i * 3600
    const { day, hour } = where(start)
    const cell = rows.get(day)?.cells[hour]
    if (!cell || start >= now) return
    cell.minutes += minutes
    cell.on = Math.min(1, cell.minutes / 60)
  })
  return Array.from(rows.values())
}

function dayCells(period: Period, today: string): Cell[] {
  const { first } = span(period.aggValue)
  const last = span(today).first
  return (period.uptime?.minutes ?? []).map((minutes, i) => {
    const day = first + i * DAY_MS
    const on = day > last ? null : Math.min(1, minutes / 1440)
    return { on, minutes, day, hour: null }
  })
}

/** Before the first known day it is unknown whether the hotspot was on, so these days are not "off". */
function blankBefore(cells: Cell[], firstDay: number): Cell[] {
  return cells.map((cell) => {
    if (cell.day < firstDay) return { ...cell, on: null, why: 'before' }
    return cell.on === null ? { ...cell, why: 'later' } : cell
  })
}

export function uptimeRows(
  period: Period,
  timezone: string,
  now: number,
  today: string,
  firstDay = 0,
): Row[] {
  if (!period.uptime?.minutes.length) return []
  if (period.uptime.unit === 'hour')
    return hourRows(period, timezone, now).map((row) => ({
      day: row.day,
      cells: blankBefore(row.cells, firstDay),
    }))
  const cells = blankBefore(dayCells(period, today), firstDay)
  if (period.aggKind !== 'Y') return [{ day: cells[0]?.day ?? 0, cells }]
  const months = new Map<string, Row>()
  for (const cell of cells) {
    const month = labelOf('M', cell.day)
    const row = months.get(month) ?? { day: cell.day, cells: [] }
    row.cells.push(cell)
    months.set(month, row)
  }
  return Array.from(months.values())
}

export const minutesOf = (row: Row): number =>
  row.cells.reduce((sum, cell) => sum + cell.minutes, 0)
