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

export interface Slice {
  path: string
  index: number
  middle: { x: number; y: number }
  share: number
}

/** Ring segments clockwise from the top; a segment smaller than the gap still gets a sliver. */
export function ring(values: number[], radius: number, inner: number, centre: number): Slice[] {
  const total = values.reduce((sum, v) => sum + Math.max(0, v), 0)
  if (total <= 0) return []
  const shown = values.map((v, index) => ({ v, index })).filter(({ v }) => v > 0)
  const gap = shown.length > 1 ? 0.022 : 0
  let angle = 0
  return shown.map(({ v, index }) => {
    const share = v / total
    const sweep = share * Math.PI * 2
    const from = angle + Math.min(gap, sweep * 0.4) / 2
    const to = angle + sweep - Math.min(gap, sweep * 0.4) / 2
    const middle = angle + sweep / 2
    angle += sweep
    return {
      index,
      share,
      path: segment(from, to, radius, inner, centre),
      middle: point(middle, (radius + inner) / 2, centre),
    }
  })
}

function point(angle: number, r: number, centre: number) {
  return { x: round(centre + r * Math.sin(angle)), y: round(centre - r * Math.cos(angle)) }
}

function segment(from: number, to: number, outer: number, inner: number, centre: number): string {
  // A whole ring cannot be one arc: its ends would coincide.
  if (to - from > Math.PI * 2 - 0.001) {
    const circle = (r: number, sweep: number) => {
      const top = point(0, r, centre)
      const bottom = point(Math.PI, r, centre)
      return `M${top.x} ${top.y}A${r} ${r} 0 1 ${sweep} ${bottom.x} ${bottom.y}A${r} ${r} 0 1 ${sweep} ${top.x} ${top.y}Z`
    }
    return circle(outer, 1) + circle(inner, 0)
  }
  const large = to - from > Math.PI ? 1 : 0
  const a = point(from, outer, centre)
  const b = point(to, outer, centre)
  const c = point(to, inner, centre)
  const d = point(from, inner, centre)
  return `M${a.x} ${a.y}A${outer} ${outer} 0 ${large} 1 ${b.x} ${b.y}L${c.x} ${c.y}A${inner} ${inner} 0 ${large} 0 ${d.x} ${d.y}Z`
}
