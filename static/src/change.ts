// How a change is expressed so that it is meaningful: a difference where the figures are small ("+1", not
// "+100 %"), a factor where they have grown a lot ("7 times", not "+600 %"), else a percentage.

/** Percentages of fewer than this say little. */
const FEW = 20
/** From three times as much, a factor is easier to grasp than a percentage. */
const MANY_TIMES = 3

export type Change =
  | { as: 'same' }
  | { as: 'difference'; by: number }
  | { as: 'percent'; by: number }
  | { as: 'times'; times: number }

export function changeOf(now: number, before: number, asDifference = false): Change {
  const by = Math.abs(now - before)
  if (!by) return { as: 'same' }
  if (asDifference || before < FEW) return { as: 'difference', by }
  const times = now / before
  if (times <= MANY_TIMES) return { as: 'percent', by }
  return { as: 'times', times: times < 10 ? Math.round(times * 10) / 10 : Math.round(times) }
}
