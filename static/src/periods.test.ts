import { describe, expect, it } from 'vitest'
import { dayAt, labelOf, nextOf, previousOf, readLabel, slug, span, switchKind } from './periods'

describe('labels', () => {
  it('are read in the spelling of the API and of addresses, and refused otherwise', () => {
    expect(readLabel('2026-06-14')).toEqual({ kind: 'D', label: '2026-06-14' })
    expect(readLabel('2026 W24')).toEqual({ kind: 'W', label: '2026 W24' })
    expect(readLabel('2026-W24')).toEqual({ kind: 'W', label: '2026 W24' })
    expect(readLabel('2026-06')).toEqual({ kind: 'M', label: '2026-06' })
    expect(readLabel('2026')).toEqual({ kind: 'Y', label: '2026' })
    for (const wrong of [
      '',
      '2026-02-30',
      '2026-13',
      '2026-W00',
      '2025-W53',
      '0000',
      'today',
      '2026-6',
    ])
      expect(readLabel(wrong), wrong).toBeNull()
    expect(readLabel('2026-W53')).not.toBeNull() // 2026 has 53 ISO weeks
  })

  it('belong to the ISO year of their week', () => {
    expect(labelOf('W', Date.UTC(2024, 11, 30))).toBe('2025 W01')
    expect(labelOf('W', Date.UTC(2027, 0, 3))).toBe('2026 W53')
    expect(slug('2026 W24')).toBe('2026-W24')
  })

  it('lead to their neighbours and back, over twelve years of days', () => {
    for (let day = Date.UTC(2019, 0, 1); day < Date.UTC(2031, 0, 1); day += 86_400_000) {
      for (const kind of ['D', 'W', 'M', 'Y'] as const) {
        const label = labelOf(kind, day)
        const { first, after } = span(label)
        expect(first <= day && day < after, label).toBe(true)
        expect(previousOf(nextOf(label))).toBe(label)
        expect(span(nextOf(label)).first).toBe(after)
      }
    }
  })

  it('switch to the part that holds today, else to the last part', () => {
    expect(switchKind('2026', 'D', '2026-06-17')).toBe('2026-06-17')
    expect(switchKind('2025', 'M', '2026-06-17')).toBe('2025-12')
    expect(switchKind('2026 W24', 'Y', '2026-06-17')).toBe('2026')
  })
})

describe('the day of an instant', () => {
  it('is that of the zone, and of UTC where the zone is unknown', () => {
    const lateEvening = Date.UTC(2026, 5, 14, 23, 30) / 1000
    expect(dayAt(lateEvening, 'UTC')).toBe('2026-06-14')
    expect(dayAt(lateEvening, 'Europe/Paris')).toBe('2026-06-15')
    expect(dayAt(lateEvening, 'Nowhere/Land')).toBe('2026-06-14')
  })
})

describe('stretches', () => {
  it('are two days in order', () => {
    expect(readLabel('2026-09-01..2026-11-30')).toEqual({
      kind: 'S',
      label: '2026-09-01..2026-11-30',
    })
    for (const wrong of ['2026-09-01..', '..', '2026-09-02..2026-09-01', '2026-02-01..2026-02-30'])
      expect(readLabel(wrong), wrong).toBeNull()
    for (const wrong of ['2026-09..2026-10', '2026-09-01..2026-09-02..2026-09-03'])
      expect(readLabel(wrong), wrong).toBeNull()
    expect(readLabel('2026-09-01..2026-09-01')).not.toBeNull()
  })

  it('lead to neighbours of as many months, or of as many days', () => {
    expect(previousOf('2026-09-01..2026-11-30')).toBe('2026-06-01..2026-08-31')
    expect(nextOf('2025-12-01..2026-02-28')).toBe('2026-03-01..2026-05-31')
    expect(previousOf('2026-09-02..2026-09-08')).toBe('2026-08-26..2026-09-01')
    for (const label of [
      '2026-09-01..2026-11-30',
      '2024-02-01..2024-02-29',
      '2026-03-05..2026-07-01',
    ])
      expect(nextOf(previousOf(label))).toBe(label)
  })

  it('switch to a part as periods do', () => {
    expect(switchKind('2026-09-01..2026-11-30', 'M', '2026-10-17')).toBe('2026-10')
    expect(switchKind('2026-06-01..2026-08-31', 'W', '2026-10-17')).toBe('2026 W36')
  })
})
