// Every package of the hotspot in one list: what the packages file and the records know of it, with its
// figures of the period. Search, order and the group of those that were never used.

import { valueOf, type Period } from './api'
import { collator } from './intl'
import type { PackageEntry, PackageFigures } from './kpis'

/** The packages of a period with any figure: all of them, or its ten most used from an older server. */
export function figuresOf(period: Period): PackageFigures[] {
  if (period.packages) return period.packages
  const found = new Map<string, PackageFigures>()
  const of = (title: string) => {
    const known = found.get(title) ?? { package: title, visits: 0, minutesInUse: 0 }
    found.set(title, known)
    return known
  }
  for (const item of valueOf(period, 'PackagePopularity')?.items ?? [])
    of(item.package).visits = item.visits
  for (const item of valueOf(period, 'TotalUsage')?.items ?? [])
    of(item.package).minutesInUse = item.minutesActivity
  return Array.from(found.values())
}

/** Whether a change may be made from the figures of a package and those of before. */
export const isComparable = (period: Period): boolean =>
  !!period.packages && !!period.comparisons?.before?.fair

export interface Row {
  title: string
  /** null: neither the packages file nor the records name it, or the server does not tell */
  entry: PackageEntry | null
  visits: number
  minutes: number
  /** undefined: nothing to compare with */
  visitsBefore: number | undefined
  minutesBefore: number | undefined
}

export const SORTS = ['visits', 'time', 'change', 'last', 'name'] as const
export type Sort = (typeof SORTS)[number]
export interface Order {
  sort: Sort
  /** against the usual direction: names begin with A, all else with the most */
  reversed: boolean
}

/** The order that an address names: `time`, or `-time` for the other way round. */
export function readOrder(text: string | null): Order {
  const reversed = text?.startsWith('-') ?? false
  const name = reversed ? text?.slice(1) : text
  return { sort: SORTS.find((sort) => sort === name) ?? 'visits', reversed }
}
export const orderText = ({ sort, reversed }: Order): string => (reversed ? '-' : '') + sort

const neverUsed = (entry: PackageEntry): boolean => entry.listed && entry.lastUsedAt === null

/** A row for each package that has been used, be it before the period or in it. */
export function rowsOf(
  entries: readonly PackageEntry[],
  figures: readonly PackageFigures[],
  comparable: boolean,
): Row[] {
  const rest = new Map(entries.map((entry) => [entry.title, entry]))
  const before = (n: number | undefined) => (comparable ? (n ?? 0) : undefined)
  const rows = figures.map((of): Row => {
    const entry = rest.get(of.package) ?? null
    rest.delete(of.package)
    return {
      title: of.package,
      entry,
      visits: of.visits,
      minutes: of.minutesInUse,
      visitsBefore: before(of.visitsBefore),
      minutesBefore: before(of.minutesInUseBefore),
    }
  })
  for (const entry of rest.values())
    if (!neverUsed(entry))
      rows.push({
        ...{ title: entry.title, entry, visits: 0, minutes: 0 },
        ...{ visitsBefore: before(0), minutesBefore: before(0) },
      })
  return rows
}

/** Those of the packages file that nobody has used since counting began, the largest first. */
export function neverUsedOf(
  entries: readonly PackageEntry[],
  figures: readonly PackageFigures[],
  lang: string,
): PackageEntry[] {
  const used = new Set(figures.map((of) => of.package))
  const { compare } = collator(lang, {})
  return entries
    .filter((entry) => neverUsed(entry) && !used.has(entry.title))
    .sort((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0) || compare(a.title, b.title))
}

/** What a package may be sorted by; more is first. */
const WORTH: Record<Exclude<Sort, 'name'>, (row: Row) => number> = {
  visits: (row) => row.visits,
  time: (row) => row.minutes,
  change: (row) => row.visits - (row.visitsBefore ?? row.visits),
  last: (row) => row.entry?.lastUsedAt ?? 0,
}

export function sorted(rows: readonly Row[], { sort, reversed }: Order, lang: string): Row[] {
  const { compare } = collator(lang, { numeric: true })
  const byName = (a: Row, b: Row) => compare(a.title, b.title)
  const worth = sort === 'name' ? () => 0 : WORTH[sort]
  const most = (a: Row, b: Row) => worth(b) - worth(a) || b.visits - a.visits
  const direction = reversed ? -1 : 1
  return rows.slice().sort((a, b) => {
    // What an import knows only as a remainder is no package: it stands last.
    if (!a.title !== !b.title) return a.title ? -1 : 1
    if (sort === 'name') return direction * byName(a, b)
    return direction * most(a, b) || byName(a, b)
  })
}

/** Letters alone: without case, accents and Arabic vowel signs. */
const plain = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f\u064b-\u065f\u0670\u0640]/g, '')
    .toLocaleLowerCase()

/** Whether each of the words is somewhere in the title. */
export function matches(title: string, wanted: string): boolean {
  const inside = plain(title)
  return plain(wanted)
    .split(/\s+/)
    .every((word) => inside.includes(word))
}
