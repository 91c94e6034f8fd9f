// Pure geometry of the charts: numbers in, positions out. Percent of the width, so that charts are
// fluid without being measured; `rtl` turns the time axis around.

export interface Column {
  x: number
  width: number
  middle: number
}

/** n columns of equal width over 100 %, a share of each left as a gap. */
export function columns(n: number, gap: number, rtl: boolean): Column[] {
  const step = 100 / Math.max(1, n)
  return Array.from({ length: n }, (_, i) => {
    const at = rtl ? n - 1 - i : i
    const width = step * (1 - gap)
    const x = at * step + (step - width) / 2
    return { x: round(x), width: round(width), middle: round(x + width / 2) }
  })
}

const round = (n: number): number => Math.round(n * 1000) / 1000

/** Height of a bar out of `full`; something is never drawn as nothing. */
export function barHeight(value: number, max: number, full: number, least = 3): number {
  if (value <= 0 || max <= 0) return 0
  return round(Math.max(least, (value / max) * full))
}
