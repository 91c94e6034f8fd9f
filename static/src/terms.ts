// Stretches that a reader has named, such as the terms of a school year, and those that everybody asks for.

import { ref, watch } from 'vue'
import type { Key } from './i18n'
import { readStored, writeStored } from './memory'
import { DAY_MS, readLabel, span, stretchOf } from './periods'

export interface Term {
  name: string
  label: string
}

const STORED_AS = 'offspot-metrics.terms'
const MOST = 40
const LONGEST_NAME = 60

/** What was stored, as far as it can be read. */
export function readTerms(text: string | null): Term[] {
  try {
    const found: unknown = JSON.parse(text ?? '[]')
    if (!Array.isArray(found)) return []
    return (found as Partial<Term>[])
      .filter(
        (one): one is Term =>
          typeof one?.name === 'string' &&
          typeof one.label === 'string' &&
          readLabel(one.label)?.kind === 'S',
      )
      .map(({ name, label }) => ({ name: name.slice(0, LONGEST_NAME), label }))
      .slice(0, MOST)
  } catch {
    return []
  }
}

export const terms = ref<Term[]>(readTerms(readStored(STORED_AS)))
watch(terms, (now) => writeStored(STORED_AS, JSON.stringify(now)))

/** Newest first; a name that is given again moves to its new days. */
export function keepTerm(name: string, label: string): void {
  const term = { name: name.trim().slice(0, LONGEST_NAME), label }
  if (!term.name) return
  terms.value = [term, ...terms.value.filter((one) => one.name !== term.name)]
    .sort((a, b) => span(b.label).first - span(a.label).first)
    .slice(0, MOST)
}

export function forgetTerm(name: string): void {
  terms.value = terms.value.filter((one) => one.name !== name)
}

const LAST_DAYS = 30

/** The stretches that reports ask for, up to or around a day. */
export function usualStretches(today: string): { key: Key; label: string }[] {
  const { first, after } = span(today)
  const date = new Date(first)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  const quarter = month - (month % 3)
  const quarterFrom = (start: number) =>
    stretchOf(Date.UTC(year, start, 1), Date.UTC(year, start + 3, 1))
  return [
    { key: 'stretch.last30', label: stretchOf(after - LAST_DAYS * DAY_MS, after) },
    { key: 'stretch.quarter', label: quarterFrom(quarter) },
    { key: 'stretch.lastQuarter', label: quarterFrom(quarter - 3) },
  ]
}
