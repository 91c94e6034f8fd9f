import { expect, it } from 'vitest'
import type { Period } from './api'
import { fileName, toCsv, toJson } from './export'
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

it.each([
  ['Bees', 'Bees'],
  ['=1+1', "'=1+1"],
  ['@home', "'@home"],
  ['a,b', '"a,b"'],
  ['say "hi"', '"say ""hi"""'],
  ['-1,2', '"\'-1,2"'],
])('a cell %s is written as %s', (title, written) => {
  expect(toCsv('overview', period(title))).toContain(`,PackagePopularity,${written},visits,5\r\n`)
})

it('a KPI that the page does not know is exported all the same', () => {
  expect(toCsv('overview', period('Bees'))).toContain('W,2026 W24,2042,KPI 2042,,widgets,3')
  expect(toCsv('popularity', period('Bees'))).not.toContain('2042')
  expect(JSON.parse(toJson('usage', period('Bees'), null, 1))).toMatchObject({
    kpis: [],
    site: null,
  })
})

it('file names are plain ASCII', () => {
  const site = { name: 'École — ‏مدرسة 7', fqdn: null }
  const status = { site } as never
  expect(fileName('overview', '2026 W24', status, 'csv')).toBe(
    'offspot-metrics_Ecole-7_2026-W24.csv',
  )
  expect(fileName('usage', '2026', null, 'json')).toBe('offspot-metrics_usage_2026.json')
})
