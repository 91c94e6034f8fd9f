import { beforeEach, expect, it } from 'vitest'
import { forgetTerm, keepTerm, readTerms, terms, usualStretches } from './terms'

const [AUTUMN, SPRING] = ['2026-09-01..2026-12-18', '2026-01-06..2026-03-27']

beforeEach(() => (terms.value = []))

it('terms are kept by name, the newest first, and forgotten', () => {
  keepTerm(' Term 1 ', SPRING)
  keepTerm('Term 3', AUTUMN)
  keepTerm('   ', AUTUMN)
  expect(terms.value).toEqual([
    { name: 'Term 3', label: AUTUMN },
    { name: 'Term 1', label: SPRING },
  ])
  keepTerm('Term 3', SPRING)
  expect(terms.value.map((term) => term.label)).toEqual([SPRING, SPRING])
  forgetTerm('Term 1')
  expect(terms.value).toEqual([{ name: 'Term 3', label: SPRING }])
})

it('what a browser has stored is read as far as it can be', () => {
  for (const bad of [null, '', '{', '{}', 'null', '[null, 1, "x"]', '[{"name":"a"}]'])
    expect(readTerms(bad)).toEqual([])
  const good = { name: 'T'.repeat(100), label: AUTUMN }
  const stored = JSON.stringify([good, { name: 'bad', label: '2026-13-01..2026-14-01' }])
  expect(readTerms(stored)).toEqual([{ name: 'T'.repeat(60), label: AUTUMN }])
  expect(readTerms(JSON.stringify(Array(100).fill(good))).length).toBe(40)
})

it('usual stretches end today, or are whole quarters, also across a new year', () => {
  expect(usualStretches('2026-02-10').map(({ label }) => label)).toEqual([
    '2026-01-12..2026-02-10',
    '2026-01-01..2026-03-31',
    '2025-10-01..2025-12-31',
  ])
})
