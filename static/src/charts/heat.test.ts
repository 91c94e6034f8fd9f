import { afterEach, describe, expect, it } from 'vitest'
import { cellHours, cellNumber, hourName, hourRange, hoursBeginAt, weekdayName } from '../format'
import { useLanguage } from '../i18n'
import type { HourOfWeek } from '../kpis'
import { busiest, heatBy, shadeOf, stepsUpTo } from './heat'

afterEach(() => useLanguage('en'))

describe('shades', () => {
  it('are equal steps up to the highest value; only zero has none', () => {
    expect([0, 1, 10, 11, 20, 21, 30, 31, 40].map((n) => shadeOf(n, 40))).toEqual([
      0, 1, 1, 2, 2, 3, 3, 4, 4,
    ])
    expect(shadeOf(1, 1_000_000)).toBe(1)
    expect(shadeOf(0, 0)).toBe(0)
  })
  it.each([0, 1, 2, 3, 5, 42, 1000])('and the legend agree on every value up to %d', (highest) => {
    const steps = stepsUpTo(highest)
    for (let value = 1; value <= highest; value++)
      expect(steps.find((step) => value <= step.upTo)?.shade).toBe(shadeOf(value, highest))
    expect(steps.length).toBe(Math.min(4, highest))
  })
})

it('the busiest hour is the earliest of the highest, and none of zeros', () => {
  const row = (weekday: number, hour: number, visits: number): HourOfWeek => ({
    ...{ weekday, hour, visits, minutesInUse: 0, minutesOn: 60 },
    ...{ filesCreated: 0, filesDeleted: 0, hoursCounted: 1 },
  })
  const rows = [row(1, 8, 3), row(2, 9, 7), row(5, 9, 7)]
  expect(busiest(rows, 'visits')).toBe(rows[1])
  expect(busiest(rows, 'minutesInUse')).toBeUndefined()
  expect(busiest([], 'visits')).toBeUndefined()
})

it('an address names what is looked at', () => {
  expect(heatBy('time').figure).toBe('minutesInUse')
  expect(heatBy('on').figure).toBe('minutesOn')
  expect(heatBy(null).figure).toBe('visits')
})

describe('names of hours', () => {
  const plain = (text: string) => text.replace(/[\u00a0\u202f\u2009]/g, ' ')
  it('are those of the language', async () => {
    expect(plain(hourName(0))).toBe('12 AM')
    expect(plain(hourRange(9))).toBe('9 – 10 AM')
    expect(plain(hourRange(23))).toBe('11 PM – 12 AM')
    expect(weekdayName(1)).toBe('Monday')
    expect(weekdayName(7, 'short')).toBe('Sun')
    await useLanguage('fr')
    expect(plain(hourName(9))).toBe('09 h')
    expect(plain(hourName(1))).toBe('01 h')
  })
  it('begin at half past where the zone is half an hour off', () => {
    const at = Date.UTC(2026, 8, 14) / 1000
    expect(hoursBeginAt(at, 'Asia/Kolkata')).toBe(30)
    expect(hoursBeginAt(at + 1900, 'Asia/Kathmandu')).toBe(45)
    expect(hoursBeginAt(at, 'Africa/Bamako')).toBe(0)
    expect(hoursBeginAt(at, 'No/Where')).toBe(0)
    expect(plain(hourName(10, 30))).toBe('10:30 AM')
    expect(plain(hourRange(10, 30))).toBe('10:30 – 11:30 AM')
  })
})

it('numbers in cells are short, and something is never nothing', () => {
  expect([0, 7, 999, 1000, 12_345].map(cellNumber)).toEqual(['0', '7', '999', '1K', '12K'])
  expect([0, 1, 45, 90, 600, 6000].map(cellHours)).toEqual(['0', '0.1', '0.8', '1.5', '10', '100'])
})
