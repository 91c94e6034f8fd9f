// What is said of the uptime, which has no card of its own.

import type { Card } from './model'

export const card: Card = {
  kpi: 'Uptime',
  title: 'uptime.title',
  icon: 'status',
  about: ['about.uptime'],
  series: [{ name: 'uptime.title', figure: 'nbMinutesOn' }],
}
