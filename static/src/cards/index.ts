// The cards of the dashboard, in reading order. A new KPI is one component and one line here.

import { ref, type Component } from 'vue'
import FilesCard from './FilesCard.vue'
import PopularityCard from './PopularityCard.vue'
import UptimeCard from './UptimeCard.vue'
import UsageCard from './UsageCard.vue'

export const CARDS: { kpiId: number; card: Component; wide?: boolean }[] = [
  { kpiId: 2004, card: UptimeCard, wide: true },
  { kpiId: 2001, card: PopularityCard },
  { kpiId: 2003, card: UsageCard },
  { kpiId: 2005, card: FilesCard, wide: true },
]

/** False until the first screen has been painted. */
export const whole = ref(false)
