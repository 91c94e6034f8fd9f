// Numbers, durations, instants and periods as text in the reader's language.
// Instants are shown in the hotspot's zone; calendar dates have none.

import { lang, locale, t } from './i18n'
import { dateFormat, numberFormat } from './intl'
import { DAY_MS, span } from './periods'

export function number(n: number): string {
  return numberFormat(locale.value, {}).format(n)
}

/** Something is never shown as nothing, and not all is never shown as all. */
export function percent(part: number, whole: number): string {
  const share = whole > 0 ? part / whole : 0
  const format = numberFormat(locale.value, { style: 'percent', maximumFractionDigits: 0 })
  // isolated: the sign would change sides in right-to-left text
  if (share > 0 && share < 0.01) return `\u2066<\u00a0${format.format(0.01)}\u2069`
  return format.format(share < 1 && share > 0.995 ? 0.99 : share)
}

export function minutes(total: number): string {
  const h = Math.floor(total / 60)
  const m = total % 60
  if (!h) return t('time.min', { m })
  return m ? t('time.hmin', { h, m }) : t('time.h', { h })
}

/** How long something has lasted: days from two on. */
export function duration(seconds: number): string {
  const days = Math.floor(seconds / 86_399) // a step of the clock may be measured a second short
  return days >= 2 ? t('time.d', { n: days }) : minutes(Math.floor(seconds / 60))
}

/** For axes: hours only, with a digit when there are few. */
export function hoursShort(total: number): string {
  if (total > 0 && total < 60) return t('time.min', { m: total })
  const hours = total / 60
  const h = numberFormat(locale.value, {
    maximumFractionDigits: hours < 10 ? 1 : 0,
  }).format(hours)
  return t('time.h', { h })
}

export function compact(n: number): string {
  if (n < 10_000) return number(n)
  return numberFormat(locale.value, {
    notation: 'compact',
    maximumFractionDigits: 1,
  }).format(n)
}

/** For cells as wide as three digits. */
export const cellNumber = (n: number): string =>
  n < 1000
    ? number(n)
    : numberFormat(locale.value, { notation: 'compact', maximumSignificantDigits: 2 }).format(n)
export function cellHours(total: number): string {
  // Something is never shown as nothing.
  const hours = total > 0 ? Math.max(0.1, total / 60) : 0
  return numberFormat(locale.value, { maximumFractionDigits: hours < 10 ? 1 : 0 }).format(hours)
}

/** How figures of a unit are written: in full, and short above a column. */
export const UNITS = {
  count: { full: number, short: compact },
  duration: { full: minutes, short: hoursShort },
}

export function bytes(n: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let size = n
  let unit = 0
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024
    unit += 1
  }
  const digits = unit > 0 && size < 10 ? 1 : 0
  const shown = numberFormat(locale.value, { maximumFractionDigits: digits }).format(size)
  // isolated, as "12 KiB" would turn around inside right-to-left text
  return `\u2066${shown}\u00a0${units[unit]}\u2069`
}

/** French names the first of a month by an ordinal, which `Intl` does not know: "1er septembre". */
const withOrdinal = (date: string): string =>
  lang.value === 'fr'
    ? date.replace(/(^|\D)1(?=\s\p{L}|\s?–)/gu, (_, before) => `${before}1er`)
    : date

function instant(epochSeconds: number, timezone: string, options: Intl.DateTimeFormatOptions) {
  const date = new Date(epochSeconds * 1000)
  try {
    return dateFormat(locale.value, { ...options, timeZone: timezone }).format(date)
  } catch {
    return dateFormat(locale.value, { ...options, timeZone: 'UTC' }).format(date)
  }
}

/** "11 AM" on one line. */
const unbroken = (time: string): string => time.replace(/(\p{N}) (?=\p{L})/gu, '$1\u00a0')

export function clock(epochSeconds: number, timezone: string): string {
  return unbroken(instant(epochSeconds, timezone, { hour: 'numeric', minute: '2-digit' }))
}

/** The day of an instant. */
export function date(epochSeconds: number, timezone: string): string {
  return withOrdinal(
    instant(epochSeconds, timezone, { day: 'numeric', month: 'long', year: 'numeric' }),
  )
}

export function dateTime(epochSeconds: number, timezone: string): string {
  const day = date(epochSeconds, timezone)
  return t('time.onDate', { date: day, time: clock(epochSeconds, timezone) })
}

/** "5 minutes ago", counted on the hotspot's own clock: the reader's may be wrong. */
export function ago(epochSeconds: number, nowSeconds: number): string {
  const seconds = Math.max(0, Math.round(nowSeconds - epochSeconds))
  const steps: [Intl.RelativeTimeFormatUnit, number][] = [
    ['second', 60],
    ['minute', 3600],
    ['hour', 48 * 3600],
    ['day', 60 * 86_400],
  ]
  const sizes = { second: 1, minute: 60, hour: 3600, day: 86_400 }
  const unit = steps.find(([, below]) => seconds < below)?.[0] ?? 'day'
  const size = sizes[unit as keyof typeof sizes]
  return new Intl.RelativeTimeFormat(locale.value, { numeric: 'auto' }).format(
    -Math.floor(seconds / size),
    unit,
  )
}

function calendar(ms: number, options: Intl.DateTimeFormatOptions): string {
  return withOrdinal(dateFormat(locale.value, { ...options, timeZone: 'UTC' }).format(ms))
}

function calendarRange(from: number, to: number, options: Intl.DateTimeFormatOptions): string {
  // Firefox learned formatRange in version 91.
  const format: Intl.DateTimeFormat & { formatRange?: (from: number, to: number) => string } =
    dateFormat(locale.value, { ...options, timeZone: 'UTC' })
  const range = format.formatRange?.(from, to) ?? `${format.format(from)} – ${format.format(to)}`
  return withOrdinal(range)
}

/** The name of a period, as a headline. */
export function periodName(label: string): string {
  const { kind, first, after } = span(label)
  if (kind === 'D')
    return calendar(first, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })
  if (kind === 'M') return calendar(first, { month: 'long', year: 'numeric' })
  if (kind === 'Y') return calendar(first, { year: 'numeric' })
  if (kind === 'S')
    return calendarRange(first, after - DAY_MS, { day: 'numeric', month: 'short', year: 'numeric' })
  return calendarRange(first, after - DAY_MS, { day: 'numeric', month: 'long', year: 'numeric' })
}

/** What the name of a period leaves open: its days, or its number. */
export function periodDates(label: string): string {
  const { kind, first, after } = span(label)
  if (kind === 'D') return ''
  if (kind === 'W') return t('period.weekOnly', { week: number(Number(label.split(' W')[1])) })
  if (kind === 'S') return t('time.d', { n: Math.round((after - first) / DAY_MS) })
  return calendarRange(first, after - DAY_MS, { day: 'numeric', month: 'long', year: 'numeric' })
}

/** The name of a period in a table or a sentence. */
export function periodShort(label: string): string {
  const { kind, first, after } = span(label)
  if (kind === 'D') return calendar(first, { weekday: 'short', day: 'numeric', month: 'short' })
  if (kind === 'W') return calendarRange(first, after - DAY_MS, { day: 'numeric', month: 'short' })
  return periodName(label)
}

/** Two short lines under a column of a chart. */
export function periodTick(label: string): [string, string] {
  const { kind, first } = span(label)
  if (kind === 'D') return [weekdayShort(first), calendar(first, { day: 'numeric' })]
  if (kind === 'W')
    return [calendar(first, { day: 'numeric' }), calendar(first, { month: 'short' })]
  if (kind === 'M') {
    const january = new Date(first).getUTCMonth() === 0
    return [
      calendar(first, { month: 'short' }),
      january ? calendar(first, { year: 'numeric' }) : '',
    ]
  }
  return [calendar(first, { year: 'numeric' }), '']
}

/** A month or a year by its name alone. */
export const calendarName = (ms: number, part: 'month' | 'year'): string =>
  calendar(ms, part === 'month' ? { month: 'short' } : { year: 'numeric' })

export const dayOfMonth = (ms: number): string => calendar(ms, { day: 'numeric' })
/** Arabic does not shorten the names: heads of tables and columns leave out their article. */
const weekdayShort = (ms: number): string => calendar(ms, { weekday: 'short' }).replace(/^ال/, '')
export const monthShort = (ms: number): string => calendar(ms, { month: 'short' })
export const dayLong = (ms: number): string =>
  calendar(ms, { weekday: 'long', day: 'numeric', month: 'long' })

const HOUR_MS = 3_600_000
const hourOptions = (minute: number): Intl.DateTimeFormatOptions => ({
  hour: 'numeric',
  minute: minute ? '2-digit' : undefined,
  timeZone: 'UTC',
})
/** An hour of the day: "10 AM", "10 h". In a zone of half an hour the hours that are counted begin at "10:30". */
export const hourName = (hour: number, minute = 0): string =>
  dateFormat(locale.value, hourOptions(minute)).format(Date.UTC(2026, 0, 5, hour, minute))

export function hourRange(hour: number, minute = 0): string {
  const from = Date.UTC(2026, 0, 5, hour, minute)
  const format: Intl.DateTimeFormat & { formatRange?: (from: number, to: number) => string } =
    dateFormat(locale.value, hourOptions(minute))
  const to = from + HOUR_MS
  // Over midnight it would name the dates.
  if (hour < 23 && format.formatRange) return unbroken(format.formatRange(from, to))
  return unbroken(`${format.format(from)} – ${format.format(to)}`)
}

/** The minute at which the hours that are counted begin on a clock of this zone: 30 in India. */
export function hoursBeginAt(epochSeconds: number, timezone: string): number {
  const hour = epochSeconds - (epochSeconds % 3600)
  try {
    const minute = dateFormat('en-u-nu-latn', { minute: 'numeric', timeZone: timezone })
    return Number(minute.format(hour * 1000))
  } catch {
    return 0
  }
}

/** The name of a weekday, Monday being 1. */
export function weekdayName(weekday: number, style: 'long' | 'short' = 'long'): string {
  const day = Date.UTC(2026, 0, 4 + weekday)
  return style === 'short' ? weekdayShort(day) : calendar(day, { weekday: style })
}

/** Bytes as the catalogues of content and the makers of SD cards count them: 1 GB is a thousand million. */
export function storage(n: number): string {
  const units = ['kB', 'MB', 'GB', 'TB']
  const power = Math.min(units.length, Math.max(1, Math.floor(Math.log10(Math.max(1, n)) / 3)))
  const size = n / 1000 ** power
  const shown = numberFormat(locale.value, { maximumFractionDigits: size < 10 ? 1 : 0 }).format(
    size,
  )
  return `\u2066${shown}\u00a0${units[power - 1]}\u2069`
}

/** A calendar date: "3 September 2026". */
export const dateOf = (day: number): string =>
  calendar(day, { day: 'numeric', month: 'long', year: 'numeric' })

const RECENT_DAYS = 60
/** The day on which something was last used: "today", "3 days ago", later its date. */
export function dayOfUse(day: number, today: number): string {
  const days = Math.round((today - day) / DAY_MS)
  if (days < 0 || days > RECENT_DAYS)
    return calendar(day, { day: 'numeric', month: 'short', year: 'numeric' })
  return new Intl.RelativeTimeFormat(locale.value, { numeric: 'auto' }).format(-days, 'day')
}

/** The name of an hour, day, week or month inside a stretch. */
export function rowName(label: string, withDay: boolean, minute = 0): string {
  if (label[10] !== 'T') return periodShort(label)
  const hour = hourName(Number(label.slice(11)), minute)
  return withDay ? `${periodShort(label.slice(0, 10))}, ${hour}` : hour
}

/** Lines below its column, of which there are `count`. */
export function rowTick(label: string, count: number): string[] {
  if (label[10] === 'T') return [number(Number(label.slice(11)))]
  const { kind, first } = span(label)
  if (kind === 'D' && count > 7)
    return count > 31
      ? [calendar(first, { day: 'numeric' }), calendar(first, { month: 'short' })]
      : [calendar(first, { day: 'numeric' })]
  return periodTick(label).filter(Boolean)
}
