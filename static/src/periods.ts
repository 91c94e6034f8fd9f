// Calendar arithmetic of period labels as the API writes them ("2026-06-14", "2026 W24", "2026-06", "2026"),
// and of stretches from one day to another ("2026-09-01..2026-11-30", both days included). It works on calendar dates alone, as UTC midnights, and needs neither a time zone nor the clock.

import { dateFormat } from './intl'

export const KINDS = ['D', 'W', 'M', 'Y'] as const
export type Kind = (typeof KINDS)[number]
/** S: a stretch from one day to another */
export type AnyKind = Kind | 'S'

export const DAY_MS = 86_400_000

const pad = (n: number, width = 2): string => String(n).padStart(width, '0')
const dateMs = (year: number, month: number, day: number): number => Date.UTC(year, month - 1, day)

export const isKind = (text: string): text is Kind => (KINDS as readonly string[]).includes(text)

/** First Monday-based day of an ISO week year. */
function isoYearStart(year: number): number {
  const january4 = dateMs(year, 1, 4)
  const weekday = new Date(january4).getUTCDay() || 7
  return january4 - (weekday - 1) * DAY_MS
}

/** The label in the API's spelling, from that or from the one used in addresses; null when it is none. */
export function readLabel(text: string): { kind: AnyKind; label: string } | null {
  const [from, to, ...more] = text.split('..')
  if (from !== undefined && to !== undefined) {
    const ends = [readLabel(from), readLabel(to)]
    const days = ends.every((end) => end?.kind === 'D') && !more.length && from <= to
    return days ? { kind: 'S', label: text } : null
  }
  let found = /^(\d{4})[ -]W(\d{2})$/.exec(text)
  if (found) {
    const year = Number(found[1])
    const week = Number(found[2])
    const start = isoYearStart(year) + (week - 1) * 7 * DAY_MS
    const valid = week >= 1 && start < isoYearStart(year + 1)
    return valid ? { kind: 'W', label: `${found[1]} W${found[2]}` } : null
  }
  found = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$/.exec(text)
  if (!found) return null
  const year = Number(found[1])
  const month = Number(found[2] ?? 1)
  const day = Number(found[3] ?? 1)
  const date = new Date(dateMs(year, month, day))
  if (year < 1000 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null
  return { kind: found[3] ? 'D' : found[2] ? 'M' : 'Y', label: text }
}

/** The label as used in addresses: without the space. */
export const slug = (label: string): string => label.replace(' ', '-')

/** Label of the period of that kind that contains the calendar date. */
export function labelOf(kind: Kind, ms: number): string {
  const date = new Date(ms)
  const year = date.getUTCFullYear()
  if (kind === 'Y') return pad(year, 4)
  if (kind === 'M') return `${pad(year, 4)}-${pad(date.getUTCMonth() + 1)}`
  if (kind === 'D') return date.toISOString().slice(0, 10)
  const day = dateMs(year, date.getUTCMonth() + 1, date.getUTCDate())
  const thursday = day + (4 - (date.getUTCDay() || 7)) * DAY_MS
  const weekYear = new Date(thursday).getUTCFullYear()
  const week = Math.floor((thursday - isoYearStart(weekYear)) / (7 * DAY_MS)) + 1
  return `${pad(weekYear, 4)} W${pad(week)}`
}

/** The label of a stretch from one UTC midnight to another, which is the day after its last. */
export const stretchOf = (first: number, after: number): string =>
  `${labelOf('D', first)}..${labelOf('D', after - DAY_MS)}`

/** First day and the day after the last, as UTC midnights. */
export function span(label: string): { kind: AnyKind; first: number; after: number } {
  const read = readLabel(label)
  if (!read) throw new Error(`no period label: ${label}`)
  const { kind } = read
  if (kind === 'S') {
    const [from = '', to = ''] = read.label.split('..')
    return { kind, first: span(from).first, after: span(to).after }
  }
  const [year, second, day] = read.label.split(/[- ]/)
  const y = Number(year)
  if (kind === 'Y') return { kind, first: dateMs(y, 1, 1), after: dateMs(y + 1, 1, 1) }
  if (kind === 'M') {
    const month = Number(second)
    return { kind, first: dateMs(y, month, 1), after: dateMs(y, month + 1, 1) }
  }
  if (kind === 'D') {
    const first = dateMs(y, Number(second), Number(day))
    return { kind, first, after: first + DAY_MS }
  }
  const first = isoYearStart(y) + (Number((second ?? '').slice(1)) - 1) * 7 * DAY_MS
  return { kind, first, after: first + 7 * DAY_MS }
}

/** Months of a stretch that is made of whole ones, else 0. */
function wholeMonths(first: number, after: number): number {
  const [from, to] = [new Date(first), new Date(after)]
  if (from.getUTCDate() !== 1 || to.getUTCDate() !== 1) return 0
  return (to.getUTCFullYear() - from.getUTCFullYear()) * 12 + to.getUTCMonth() - from.getUTCMonth()
}

const monthsLater = (ms: number, months: number): number => {
  const date = new Date(ms)
  return dateMs(date.getUTCFullYear(), date.getUTCMonth() + 1 + months, 1)
}

/** The stretch next to one, equally long: in months where it is made of whole ones, else in days. */
function stretchBeside(first: number, after: number, direction: 1 | -1): string {
  const months = wholeMonths(first, after) * direction
  const days = (after - first) * direction
  return months
    ? stretchOf(monthsLater(first, months), monthsLater(after, months))
    : stretchOf(first + days, after + days)
}

export function previousOf(label: string): string {
  const { kind, first, after } = span(label)
  return kind === 'S' ? stretchBeside(first, after, -1) : labelOf(kind, first - DAY_MS)
}

export function nextOf(label: string): string {
  const { kind, first, after } = span(label)
  return kind === 'S' ? stretchBeside(first, after, 1) : labelOf(kind, after)
}

/** The period of another kind to show when the reader switches: today's if it is inside, else the last. */
export function switchKind(label: string, kind: Kind, today: string): string {
  const { first, after } = span(label)
  const day = span(today).first
  return labelOf(kind, day >= first && day < after ? day : after - DAY_MS)
}

/** Calendar date of an instant in a zone, as a day label. Falls back to UTC for a zone unknown here. */
export function dayAt(epochSeconds: number, timezone: string): string {
  const date = new Date(epochSeconds * 1000)
  try {
    const parts = dateFormat('en-u-ca-gregory-nu-latn', {
      timeZone: timezone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
    }).formatToParts(date)
    const part = (type: string) => parts.find((p) => p.type === type)?.value ?? ''
    return `${part('year')}-${part('month')}-${part('day')}`
  } catch {
    return labelOf('D', date.getTime())
  }
}
