// The cards of the dashboard below its key figures, in reading order. A new KPI is one component and one line
// here.

import { ref, type Component } from 'vue'
import { kpiOf } from '../api'
import FilesCard, { card as files } from './FilesCard.vue'
import type { Card, RankingView } from './model'
import PopularityCard, { card as popularity } from './PopularityCard.vue'
import { card as uptime } from './uptime'
import UsageCard, { card as usage } from './UsageCard.vue'

export const ALL: (Card & { component?: Component })[] = [
  // among the key figures, and in the band below the main chart
  uptime,
  { component: PopularityCard, ...popularity },
  { component: UsageCard, ...usage },
  { component: FilesCard, ...files },
]

export const idOf = (card: Card): number => kpiOf(card.kpi).id

export type RankedCard = Card & { ranking: RankingView }
/** The card of which a list of packages is the ranking. */
export const rankingOf = (name: string): RankedCard | undefined =>
  ALL.find((card): card is (typeof ALL)[number] & RankedCard => card.ranking?.name === name)

/** The card by which the view Packages is sorted; the first of them without a choice. */
export const rankedBy = (sort: string | null): RankedCard => {
  const ranked = ALL.filter((card): card is (typeof ALL)[number] & RankedCard => !!card.ranking)
  return (ranked.find((card) => card.ranking.sort === sort) ?? ranked[0]) as RankedCard
}

/** False until the first screen has been painted. */
export const whole = ref(false)
