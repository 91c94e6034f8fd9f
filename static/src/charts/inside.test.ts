import { expect, it } from 'vitest'
import type { FiguresRow, Period, RowState } from '../api'
import { axisFor, axisOf, bandOf, barsOf, namedRows, neighboursOf, SHOWN } from './inside'

const HOUR = 3600
const row = (
  start: number,
  end: number,
  visits: number,
  on: number,
  state: RowState,
): FiguresRow => ({
  label: '',
  start,
  end,
  visits,
  minutesInUse: 0,
  minutesOn: on,
  filesCreated: 0,
  filesDeleted: 0,
  state,
})
const period = (rows: FiguresRow[], uptime?: Period['uptime'], countedFrom = 0): Period =>
  ({
    start: rows[0]?.start,
    end: rows[rows.length - 1]?.end,
    inside: { by: 'day', rows },
    uptime,
    total: { countedFrom },
  }) as unknown as Period

it('an axis has round numbers, ends at or above the highest column, and has few lines', () => {
  expect(axisOf(0)).toEqual({ top: 1, ticks: [] })
  expect(axisOf(1)).toEqual({ top: 1, ticks: [1] })
  expect(axisOf(2)).toEqual({ top: 2, ticks: [1, 2] })
  for (let largest = 1; largest < 3000; largest++) {
    const { top, ticks } = axisOf(largest)
    expect(top, `${largest}`).toBeGreaterThanOrEqual(largest)
    expect(top, `${largest}`).toBeLessThanOrEqual(largest * 2)
    expect(ticks[ticks.length - 1]).toBe(top)
    expect(ticks.length).toBeLessThanOrEqual(4)
    expect(ticks.every(Number.isInteger), `${largest}`).toBe(true)
  }
  expect(axisOf(10_000_000).ticks).toHaveLength(4)
})

it('an axis of times has whole hours, from the first hour on', () => {
  expect(axisFor(45, 'duration').ticks).toEqual([20, 40, 60])
  expect(axisFor(60, 'duration').ticks).toEqual([20, 40, 60])
  expect(axisFor(61, 'duration').ticks).toEqual([60, 120])
  for (let largest = 61; largest < 100_000; largest += 37) {
    const { top, ticks } = axisFor(largest, 'duration')
    expect(top, `${largest}`).toBeGreaterThanOrEqual(largest)
    expect(
      ticks.every((tick) => tick % 60 === 0),
      `${largest}`,
    ).toBe(true)
  }
  expect(axisFor(600, 'count')).toEqual(axisOf(600))
})

it('zero only where it was counted', () => {
  const rows = (['counted', 'no-figures', 'not-yet', 'to-come', 'total-only'] as const).map(
    (state, i) => row(i, i + 1, 0, 0, state),
  )
  expect(barsOf(rows, 10).map((bar) => bar.empty)).toEqual([true, false, false, false, false])
  expect(barsOf([row(0, 1, 5, 0, 'counted')], 10)[0]).toMatchObject({ height: 0.5, empty: false })
})

it('a second figure goes downwards on the same scale, and zero is where both are', () => {
  const file = (created: number | null, deleted: number | null): FiguresRow => ({
    ...row(0, 1, 7, 0, 'counted'),
    ...{ filesCreated: created, filesDeleted: deleted },
  })
  const bars = barsOf([file(4, 2), file(0, 1), file(0, 0), file(null, null)], 8, SHOWN.files)
  expect(bars.map(({ height, below, empty }) => [height, below, empty])).toEqual([
    [0.5, 0.25, false],
    [0, 0.125, false],
    [0, 0, true],
    [0, 0, true],
  ])
})

it('a row that is not over is running, and so is the newest of neighbours', () => {
  const rows = [
    row(0, 10, 1, 0, 'counted'),
    row(10, 20, 1, 0, 'counted'),
    row(20, 30, 0, 0, 'to-come'),
  ]
  expect(barsOf(rows, 1, SHOWN.time, 15).map((bar) => bar.running)).toEqual([false, true, false])
  const entry = { totalVisits: 3, totalMinutesActivity: 20, nbMinutesOn: 60 }
  const files = { filesCreated: 1, filesDeleted: 0 }
  const trend = [
    { aggValue: '2026-05', complete: null, hasData: false, ...entry, ...files },
    { aggValue: '2026-06', complete: true, hasData: true, ...entry, ...files },
    { aggValue: '2026-07', complete: false, hasData: true, ...entry, ...files },
  ]
  const neighbours = neighboursOf({ trend } as unknown as Period)
  expect(neighbours.map((one) => one.label)).toEqual(['2026-05', '2026-06', '2026-07'])
  expect(neighbours.map((one) => one.state)).toEqual(['no-figures', 'counted', 'counted'])
  expect(neighbours[1]).toMatchObject({ visits: 3, minutesInUse: 20, minutesOn: 60, ...files })
  const total = { minutesInUse: 15 }
  const capped = neighboursOf({
    ...{ aggValue: '2026-07', total },
    trend: trend.map((one) => ({ ...one, totalMinutesActivity: 90 })),
  } as unknown as Period)
  expect(capped.map((one) => one.minutesInUse)).toEqual([60, 60, 15])
  const bars = barsOf(neighbours, 3, SHOWN.visits, Date.UTC(2026, 6, 9) / 1000)
  expect(bars.map((bar) => bar.running)).toEqual([false, false, true])
})

it('the band of a running row is filled by the part of it that is over', () => {
  const rows = [row(0, 4 * HOUR, 1, 60, 'counted'), row(4 * HOUR, 8 * HOUR, 0, 0, 'no-figures')]
  const [first, second] = bandOf(period(rows), 2 * HOUR)
  expect(first).toEqual({ from: 0, to: 0.5, on: 0.5, state: 'counted' })
  expect(second).toEqual({ from: 0.5, to: 1, on: null, state: 'no-figures' })
})

it('slices shorter than a row lie within it, with their own reason for being empty', () => {
  const rows = [row(0, 2 * HOUR, 1, 30, 'counted'), row(2 * HOUR, 4 * HOUR, 0, 0, 'counted')]
  const minutes = [0, 30, 0, 15, 0, 0, 0, 0] // of half hours
  const band = bandOf(period(rows, { unit: 'hour', minutes }, HOUR / 2), 3 * HOUR)
  expect(band.map((cell) => cell.state)).toEqual([
    'not-yet',
    'counted',
    'no-figures',
    'counted',
    'no-figures',
    'no-figures',
    'to-come',
    'to-come',
  ])
  expect(band.map((cell) => cell.on)).toEqual([null, 1, null, 0.5, null, null, null, null])
  expect(band.map((cell) => cell.from)).toEqual([0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875])
  expect(band[7]?.to).toBe(1)
})

it('days of a year stay in their month where clocks have changed', () => {
  // April begins an hour later than a multiple of 24 hours after the year: its first day is in April.
  const day = 24 * HOUR
  const rows = [
    row(0, 3 * day + HOUR, 0, 60, 'counted'),
    row(3 * day + HOUR, 6 * day, 0, 60, 'counted'),
  ]
  const band = bandOf(period(rows, { unit: 'day', minutes: [9, 9, 9, 9, 9, 9] }), 10 * day)
  expect(band.filter((cell) => cell.from >= 0.5)).toHaveLength(3)
  expect(band[3]).toMatchObject({ from: 0.5 })
})

it('names stand below as many columns as have room, evenly', () => {
  expect(namedRows(7, 'day', 12)).toEqual([0, 1, 2, 3, 4, 5, 6])
  expect(namedRows(24, 'hour', 12)).toHaveLength(12)
  expect(namedRows(31, 'day', 12)).toEqual([0, 5, 10, 15, 20, 25, 30])
  for (const count of [13, 28, 60, 91, 100, 520])
    expect(namedRows(count, 'day', 12).length).toBeLessThanOrEqual(12)
})
