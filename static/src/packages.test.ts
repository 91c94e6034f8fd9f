import { describe, expect, it } from 'vitest'
import type { PackageEntry, PackageFigures } from './kpis'
import { matches, neverUsedOf, orderText, readOrder, rowsOf, sorted } from './packages'

const entry = (title: string, more: Partial<PackageEntry> = {}): PackageEntry => ({
  title,
  kinds: ['zim'],
  hosts: [],
  listed: true,
  firstUsedAt: 1,
  lastUsedAt: 1,
  bytes: null,
  ...more,
})
const figures = (title: string, visits: number, minutesInUse: number, visitsBefore?: number) => ({
  package: title,
  visits,
  minutesInUse,
  ...(visitsBefore === undefined ? {} : { visitsBefore, minutesInUseBefore: 0 }),
})

const entries = [
  entry('Bees', { lastUsedAt: 50 }),
  entry('Élan', { lastUsedAt: 90 }),
  entry('Old', { listed: false, lastUsedAt: 10 }),
  entry('Never small', { lastUsedAt: null, firstUsedAt: null, bytes: 5 }),
  entry('Never large', { lastUsedAt: null, firstUsedAt: null, bytes: 7_000 }),
  entry('Never unknown', { lastUsedAt: null, firstUsedAt: null }),
]
const used: PackageFigures[] = [
  figures('Élan', 7, 20, 9),
  figures('Bees', 7, 40, 1),
  figures('', 3, 0, 3),
  figures('Not in the list', 1, 500, 0),
]
const titles = (rows: readonly { title: string }[]) => rows.map((row) => row.title)

describe('the list', () => {
  const rows = rowsOf(entries, used, true)

  it('has each package once that was ever used, with zeros where it was not used now', () => {
    expect(titles(rows).sort()).toEqual(['', 'Bees', 'Not in the list', 'Old', 'Élan'])
    expect(rows.find((row) => row.title === 'Old')).toMatchObject({ visits: 0, visitsBefore: 0 })
    expect(rows.find((row) => row.title === 'Not in the list')?.entry).toBeNull()
  })
  it('has nothing of before where that would not be fair', () => {
    for (const row of rowsOf(entries, used, false)) expect(row.visitsBefore).toBeUndefined()
  })
  it('adds up to the figures it was made of', () => {
    expect(rows.reduce((sum, row) => sum + row.visits, 0)).toBe(18)
    expect(rows.length + neverUsedOf(entries, used, 'en').length).toBe(8)
  })
  it.each([
    ['visits', ['Bees', 'Élan', 'Not in the list', 'Old', '']],
    ['-visits', ['Old', 'Not in the list', 'Bees', 'Élan', '']],
    ['time', ['Not in the list', 'Bees', 'Élan', 'Old', '']],
    ['change', ['Bees', 'Not in the list', 'Old', 'Élan', '']],
    ['last', ['Élan', 'Bees', 'Old', 'Not in the list', '']],
    ['name', ['Bees', 'Élan', 'Not in the list', 'Old', '']],
    ['-name', ['Old', 'Not in the list', 'Élan', 'Bees', '']],
    [null, ['Bees', 'Élan', 'Not in the list', 'Old', '']],
    ['nonsense', ['Bees', 'Élan', 'Not in the list', 'Old', '']],
  ])('is sorted by %s, and a remainder that is no package is last', (order, expected) => {
    expect(titles(sorted(rows, readOrder(order), 'en'))).toEqual(expected)
  })
})

it('never used are those of the packages file, the largest first', () => {
  expect(titles(neverUsedOf(entries, used, 'en'))).toEqual([
    'Never large',
    'Never small',
    'Never unknown',
  ])
  const since = [...used, figures('Never large', 1, 10)]
  expect(titles(neverUsedOf(entries, since, 'en'))).toEqual(['Never small', 'Never unknown'])
})

it('an order is written as it is read', () => {
  for (const text of ['visits', '-time', 'change', '-last', 'name'])
    expect(orderText(readOrder(text))).toBe(text)
})

it('a search finds each of its words, without case, accents and vowel signs', () => {
  expect(matches('Wikipédia pour l’École', 'ECOLE wiki')).toBe(true)
  expect(matches('Wikipédia', 'wiki vikidia')).toBe(false)
  expect(matches('وِيكِيبِيدْيَا', 'ويكيبيديا')).toBe(true)
  expect(matches('Bees', '')).toBe(true)
  expect(matches('a+b (c)', '+b (')).toBe(true)
})
