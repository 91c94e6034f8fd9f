import { afterEach, describe, expect, it } from 'vitest'
import { readFileSync } from 'node:fs'
import {
  ago,
  bytes,
  dateTime,
  minutes,
  percent,
  periodDates,
  periodName,
  periodShort,
  periodTick,
} from './format'
import { LANGUAGES, localeFor, pickLanguage, t, useLanguage, zip, type Lang } from './i18n'
import en from './i18n/en.json'

type Texts = Record<string, string | Record<string, string>>
const read = (lang: string): Texts =>
  JSON.parse(readFileSync(`src/i18n/${lang}.json`, 'utf8')) as Texts
const forms = (entry: string | Record<string, string> | undefined): string[] =>
  typeof entry === 'string' ? [entry] : Object.values(entry ?? {})
const places = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort().join()

afterEach(() => useLanguage('en'))

describe.each(Object.keys(LANGUAGES))('catalogue %s', (lang) => {
  const texts = read(lang)
  it('has every key, and no other', () => {
    expect(Object.keys(texts).sort()).toEqual(Object.keys(en).sort())
  })
  it('fills the same places in every text and plural form', () => {
    for (const [key, entry] of Object.entries(texts)) {
      const wanted = places(forms((en as Texts)[key]).pop() ?? '')
      for (const form of forms(entry)) expect(places(form), key).toBe(wanted)
    }
  })
  it('has a form for every number', () => {
    for (const [key, entry] of Object.entries(texts))
      if (typeof entry !== 'string') expect(entry.other, key).toBeTruthy()
  })
})

it('a catalogue packed by the build is the catalogue', () => {
  const french = read('fr')
  const packed: unknown[] = Object.keys(en).map((key) => french[key])
  expect(zip(packed as never)).toEqual(french)
  packed[0] = null
  expect(zip(packed as never)['app.title']).toBe(en['app.title'])
})

it('the address goes before the stored choice, that before the browser', () => {
  expect(pickLanguage('?lang=ar', 'fr', ['es'])).toBe('ar')
  expect(pickLanguage('?lang=xx', 'fr', ['es'])).toBe('fr')
  expect(pickLanguage('', null, ['de-DE', 'es-MX'])).toBe('es')
  expect(pickLanguage('', 'toString', [])).toBe('en')
})

describe('the locale', () => {
  const number = (lang: Lang, browser: string[]) =>
    new Intl.NumberFormat(localeFor(lang, browser)).format(950_990)
  it('is the first of the browser in the language that is shown', () => {
    expect(number('es', ['es-MX'])).toBe('950,990')
    expect(number('es', ['en-US', 'es-ES', 'es-MX'])).toBe('950.990')
    expect(number('es', ['en-US'])).toBe('950.990')
    expect(localeFor('en', ['en-US@posix', 'x', 'en-GB'])).toBe('en-GB-u-ca-gregory')
    expect(localeFor('fr', [])).toBe('fr')
  })
  it('has the calendar of the periods, wherever the reader lives', () => {
    const september = Date.UTC(2026, 8, 1)
    const year = (tag: string) =>
      new Intl.DateTimeFormat(localeFor('ar', [tag]), { year: 'numeric', numberingSystem: 'latn' })
        .formatToParts(september)
        .find((part) => part.type === 'year')?.value
    expect(year('ar-SA')).toBe('2026')
    expect(localeFor('en', ['en-u-ca-buddhist'])).toBe('en-u-ca-gregory')
  })
})

it('French has the first of a month as an ordinal', async () => {
  await useLanguage('fr')
  expect(dateTime(Date.UTC(2026, 8, 1, 10) / 1000, 'UTC')).toBe('1er septembre 2026 à 10:00')
  expect(periodName('2026-09-01')).toBe('mardi 1er septembre 2026')
  expect(periodName('2026-09-11')).toBe('vendredi 11 septembre 2026')
  expect(periodShort('2026 W23')).toBe('1er–7 juin')
  expect(periodTick('2026-09-01')).toEqual(['mar.', '1'])
})

it('Arabic weekdays are as short as they can be below a column', async () => {
  await useLanguage('ar')
  expect(periodTick('2026-09-16')).toEqual(['أربعاء', '16'])
})

it('Arabic has its own plural forms', async () => {
  await useLanguage('ar')
  const words = [1, 2, 3, 11].map((n) => t('popularity.total', { n }))
  expect(new Set(words.map((text) => text.replace(/[\d٠-٩]+/, ''))).size).toBe(4)
})

it('text put into a place is not looked at', () => {
  expect(t('print.nobody', { days: '$& {on}', on: '<b>' })).toContain('$& {on}')
})

describe('figures', () => {
  it('minutes are hours and minutes', () => {
    const plain = (n: number) => minutes(n).replace(/\u00a0/g, ' ')
    expect([0, 59, 60, 61, 1188 * 60 + 15].map(plain)).toEqual([
      '0 min',
      '59 min',
      '1 h',
      '1 h 1 min',
      '1,188 h 15 min',
    ])
  })
  it('a share is never rounded to nothing, nor to all', () => {
    expect(percent(0, 10)).toBe('0%')
    expect(percent(1, 100_000)).toBe('\u2066<\u00a01%\u2069')
    expect(percent(999, 1000)).toBe('99%')
    expect(percent(10, 10)).toBe('100%')
    expect(percent(5, 0)).toBe('0%')
  })
  it('sizes and ages use the largest fitting unit', () => {
    expect(bytes(1320)).toContain('1.3\u00a0KiB')
    expect(ago(1000, 1030)).toBe('30 seconds ago')
    expect(ago(0, 7200)).toBe('2 hours ago')
    expect(ago(0, 10 * 86_400)).toBe('10 days ago')
  })
})

describe('names of periods', () => {
  it('say the dates of a week', () => {
    expect(periodName('2026 W24')).toMatch(/June 8\s–\s14, 2026/)
    expect(periodDates('2026 W24')).toBe('Week 24')
    expect(periodName('2026-09-01..2026-11-30')).toMatch(/Sep 1\s–\sNov 30, 2026/)
    expect(periodDates('2026-09-01..2026-11-30')).toBe('91 days')
    expect(periodDates('2026-06-14')).toBe('')
  })
  it.each(Object.keys(LANGUAGES) as Lang[])('exist in %s', async (lang) => {
    await useLanguage(lang)
    for (const label of ['2026-06-14', '2026 W24', '2026-06', '2026'])
      expect(periodShort(label).length).toBeGreaterThan(2)
  })
})
