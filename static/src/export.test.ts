import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { Period } from './api'
import { csvRows, fileName, shownIn, toCsv, toJson } from './export'
import { plainPeriodOf } from './plain'

const period = (title: string): Period =>
  plainPeriodOf('2026 W24', {
    valuesAvailable: ['2026 W24'],
    valuesAll: ['2026 W23', '2026 W24'],
    kpis: [
      {
        kpiId: 2001,
        values: [
          {
            aggValue: '2026 W24',
            kpiValue: { items: [{ package: title, visits: 5 }], totalVisits: 7 },
          },
        ],
      },
      { kpiId: 2042, values: [{ aggValue: '2026 W24', kpiValue: { widgets: 3 } }] },
    ],
  })

it('the plain API gives the others as what the total has more', () => {
  expect(period('Bees').others.visits).toBe(2)
  expect(period('Bees').complete).toBeNull()
  expect(plainPeriodOf('2020', { valuesAvailable: [], valuesAll: [], kpis: [] }).hasData).toBe(
    false,
  )
})

const cases = JSON.parse(readFileSync('../tests/csv_cells.json', 'utf8')) as {
  title: string
  written: string
}[]

it.each(cases)('a cell $title is written as $written', ({ title, written }) => {
  const line = `"W","2026 W24",2001,"PackagePopularity",${written},"visits",5\r\n`
  expect(toCsv('overview', period(title))).toContain(line)
})

it('a KPI that the page does not know is exported all the same', () => {
  expect(toCsv('overview', period('Bees'))).toContain(
    '"W","2026 W24",2042,"KPI 2042","","widgets",3',
  )
  expect(toCsv('popularity', period('Bees'))).not.toContain('2042')
  expect(JSON.parse(toJson('usage', period('Bees'), null, 1))).toMatchObject({
    kpis: [],
    site: null,
  })
})

it('what lies beyond the ten is a row, so that items add up to the total', () => {
  const rows = csvRows('popularity', period('Bees')).filter(([, label]) => label === '2026 W24')
  expect(rows.map(([, , , , title, metric, value]) => [title, metric, value])).toEqual([
    ['Bees', 'visits', 5],
    ['', 'totalVisits', 7],
    ['', 'othersVisits', 2],
  ])
  expect(toCsv('usage', period('Bees'))).not.toContain('others')
})

it('a view of one KPI exports nothing of the others', () => {
  const whole = period('Bees')
  whole.previous = { ...whole, aggValue: '2026 W23' }
  whole.uptime = { unit: 'hour', minutes: [60] }
  const shown = shownIn('popularity', whole)
  expect(shown.kpis.map((k) => k.kpiId)).toEqual([2001])
  expect(shown.previous?.kpis.map((k) => k.kpiId)).toEqual([2001])
  expect(shown.uptime).toBeUndefined()
  expect(shown.others).toEqual({ visits: 2, packagesVisited: null })
  expect(Object.keys(shown.trend[1] ?? {})).toEqual([
    'aggValue',
    'complete',
    'hasData',
    'totalVisits',
  ])
  expect(whole.trend[1]?.nbMinutesOn).toBe(0)
  expect(shownIn('overview', whole)).toEqual(whole)
})

it('file names are plain ASCII', () => {
  const site = { name: 'École — ‏مدرسة 7', fqdn: null }
  const status = { site } as never
  expect(fileName('overview', '2026 W24', status, 'csv')).toBe(
    'offspot-metrics_Ecole-7_2026-W24.csv',
  )
  expect(fileName('usage', '2026', null, 'json')).toBe('offspot-metrics_usage_2026.json')
})

it('a file name has 40 characters of the name of the hotspot', () => {
  const status = { site: { name: 'x'.repeat(90), fqdn: null } } as never
  expect(fileName('overview', '2026', status, 'csv')).toBe(
    `offspot-metrics_${'x'.repeat(40)}_2026.csv`,
  )
})

it('CSV begins with the mark of UTF-8, and each line ends as RFC 4180 has it', () => {
  const text = toCsv('overview', period('Bees'))
  expect(text.startsWith('\ufeffagg_kind,agg_value,kpi_id,kpi,package,metric,value\r\n')).toBe(true)
  expect(text.endsWith('\r\n')).toBe(true)
  expect(text.replace(/\r\n/g, '')).not.toMatch(/[\r\n]/)
})

it('neighbours without figures, and others that are none, are no rows', () => {
  const whole = period('Bees')
  const before = { aggValue: '2026 W23', complete: true, totalVisits: 4 }
  const rowsOf = (hasData: boolean) =>
    csvRows('popularity', { ...whole, trend: [{ ...before, hasData }] as never }).filter(
      ([, label]) => label === '2026 W23',
    )
  expect(rowsOf(true)).toEqual([['W', '2026 W23', 2001, 'PackagePopularity', '', 'totalVisits', 4]])
  expect(rowsOf(false)).toEqual([])
  const others = { ...whole.others, visits: 0 }
  expect(toCsv('popularity', { ...whole, others })).not.toContain('othersVisits')
})
