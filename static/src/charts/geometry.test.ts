import { describe, expect, it } from 'vitest'
import type { Period } from '../api'
import { barHeight, columns, ring } from './geometry'
import { minutesOf, uptimeRows } from './uptime'

describe('columns', () => {
  it('share the width, and turn around for right-to-left', () => {
    const ltr = columns(4, 0.5, false)
    expect(ltr.map((c) => c.middle)).toEqual([12.5, 37.5, 62.5, 87.5])
    expect(columns(4, 0.5, true).map((c) => c.middle)).toEqual([87.5, 62.5, 37.5, 12.5])
  })
  it('something is never drawn as nothing', () => {
    expect(barHeight(0, 100, 90)).toBe(0)
    expect(barHeight(1, 100_000, 90)).toBe(3)
    expect(barHeight(100, 100, 90)).toBe(90)
    expect(barHeight(5, 0, 90)).toBe(0)
  })
})

describe('ring', () => {
  it('gives every value above zero its share', () => {
    const slices = ring([50, 0, 25, 25], 58, 38, 60)
    expect(slices.map((s) => [s.index, s.share])).toEqual([
      [0, 0.5],
      [2, 0.25],
      [3, 0.25],
    ])
  })
  it('a single value is a whole ring, and nothing is no ring', () => {
    expect(ring([7], 58, 38, 60)[0]?.path.match(/M/g)).toHaveLength(2)
    expect(ring([0, 0], 58, 38, 60)).toEqual([])
  })
})

function day(aggValue: string, start: number, minutes: number[]): Period {
  return {
    aggKind: 'D',
    aggValue,
    start,
    complete: true,
    hasData: true,
    kpis: [],
    others: {} as Period['others'],
    previous: null,
    trend: [],
    uptime: { unit: 'hour', minutes },
  }
}
const hours = (n: number) => Array.from({ length: n }, (_, i) => (i === 1 ? 30 : 60))

describe('hours on', () => {
  it('stand where the hotspot’s clock said, also when it changes', () => {
    const zone = 'Europe/Paris'
    const spring = day('2026-03-29', Date.UTC(2026, 2, 28, 23) / 1000, hours(23))
    const [row] = uptimeRows(spring, zone, Infinity, '2026-12-31')
    expect(row?.cells).toHaveLength(24)
    expect(row?.cells[1]?.on).toBe(0.5)
    expect(row?.cells[2]?.on).toBeNull() // 02:00 to 03:00 did not exist
    expect(minutesOf(row!)).toBe(22 * 60 + 30)
    const autumn = day('2026-10-25', Date.UTC(2026, 9, 24, 22) / 1000, hours(25))
    const [long] = uptimeRows(autumn, zone, Infinity, '2026-12-31')
    expect(long?.cells[2]?.minutes).toBe(120) // 02:00 to 03:00 came twice
    expect(long?.cells[2]?.on).toBe(1)
  })
  it('are empty for what is still to come', () => {
    const start = Date.UTC(2026, 5, 14) / 1000
    const [row] = uptimeRows(day('2026-06-14', start, hours(24)), 'UTC', start + 7200, '2026-06-14')
    expect(row?.cells.map((c) => c.on !== null).filter(Boolean)).toHaveLength(2)
  })
  it('of a year are a row for each month', () => {
    const year: Period = {
      ...day('2024', Date.UTC(2024, 0, 1) / 1000, []),
      aggKind: 'Y',
      uptime: { unit: 'day', minutes: Array.from({ length: 366 }, () => 720) },
    }
    const rows = uptimeRows(year, 'UTC', Infinity, '2024-12-31')
    expect(rows.map((r) => r.cells.length)).toEqual([
      31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31,
    ])
    expect(rows[1]?.cells[0]?.on).toBe(0.5)
  })
  it('says nothing of days before the first that has figures', () => {
    const january = { ...day('2026-01', 0, []), aggKind: 'M' as const }
    january.uptime = { unit: 'day', minutes: Array.from({ length: 31 }, () => 720) }
    const [row] = uptimeRows(january, 'UTC', Infinity, '2026-01-20', Date.UTC(2026, 0, 10))
    const why = row?.cells.map((cell) => cell.why)
    expect(why?.slice(0, 9)).toEqual(Array.from({ length: 9 }, () => 'before'))
    expect(why?.slice(9, 20)).toEqual(Array.from({ length: 11 }, () => undefined))
    expect(why?.slice(20)).toEqual(Array.from({ length: 11 }, () => 'later'))
    expect(row?.cells[8]?.on).toBeNull()
    expect(row?.cells[9]?.on).toBe(0.5)
  })

  it('nothing is drawn for a server that does not send them', () => {
    const older: Period = { ...day('2026-06-14', 0, []), uptime: undefined }
    expect(uptimeRows(older, 'UTC', 0, '2026-06-14')).toEqual([])
  })
})
