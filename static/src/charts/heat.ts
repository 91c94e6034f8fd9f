// The heat map of the hours of the week: its figures, which value has which shade, what the legend says.

import { cellHours, cellNumber, hourRange, minutes, weekdayName } from '../format'
import type { Key } from '../i18n'
import { t } from '../i18n'
import type { HourOfWeek } from '../kpis'

export type HeatFigure = 'visits' | 'minutesInUse' | 'minutesOn'

/** "Tuesday, 10 – 11 AM" */
export const hourOfWeek = ({ weekday, hour }: HourOfWeek, minute: number): string =>
  t('when.hour', { day: weekdayName(weekday), hours: hourRange(hour, minute) })

export const SHADES = 4

/** 0 for zero, then 1 to 4 in equal steps up to the highest value. */
export function shadeOf(value: number, highest: number): number {
  if (value <= 0 || highest <= 0) return 0
  return Math.min(SHADES, Math.ceil((SHADES * value) / highest))
}

export interface Step {
  shade: number
  /** the highest whole value of this shade */
  upTo: number
}
/** What each shade stands for; a shade that no whole value has is left out. */
export function stepsUpTo(highest: number): Step[] {
  const steps: Step[] = []
  for (let shade = 1; shade <= SHADES; shade++) {
    const upTo = Math.floor((highest * shade) / SHADES)
    if (upTo > (steps[steps.length - 1]?.upTo ?? 0)) steps.push({ shade, upTo })
  }
  return steps
}

/** The hour with the most, the earliest of several; undefined when all are zero. */
export function busiest(rows: readonly HourOfWeek[], figure: HeatFigure): HourOfWeek | undefined {
  let best: HourOfWeek | undefined
  for (const row of rows) if (row[figure] > (best?.[figure] ?? 0)) best = row
  return best
}

/** What the hours of the week can be looked at by. `sort`: as in addresses. */
export const HEAT: readonly Heat[] = [
  {
    sort: 'visits',
    figure: 'visits',
    title: 'popularity.title',
    none: 'popularity.none',
    format: (n) => t('popularity.total', { n }),
    brief: cellNumber,
  },
  {
    sort: 'time',
    figure: 'minutesInUse',
    title: 'usage.title',
    none: 'usage.none',
    format: minutes,
    brief: cellHours,
  },
  {
    sort: 'on',
    figure: 'minutesOn',
    title: 'uptime.title',
    none: 'state.emptyTitle',
    format: minutes,
    brief: cellHours,
  },
]
interface Heat {
  sort: string
  figure: HeatFigure
  title: Key
  none: Key
  format: (n: number) => string
  brief: (n: number) => string
}
export const heatBy = (sort: string | null): Heat =>
  HEAT.find((heat) => heat.sort === sort) ?? (HEAT[0] as Heat)
