// The colour of a package, from its title alone: the same on every page and every hotspot.
// Lightness is chosen so that a colour keeps 3:1 against the card in the light and in the dark theme,
// which lets one colour serve both, and paper too.

const SHADES = [
  { lightness: 0.535, chroma: 0.13 },
  { lightness: 0.58, chroma: 0.1 },
  { lightness: 0.63, chroma: 0.14 },
]
const HUES = 48

/** FNV-1a: short, and spreads titles that differ in one letter. */
function hash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  h ^= h >>> 15
  h = Math.imul(h, 0x2c1b3c6d)
  return (h ^ (h >>> 13)) >>> 0
}

function oklchToHex(lightness: number, chroma: number, hue: number): string {
  const a = chroma * Math.cos((hue * Math.PI) / 180)
  const b = chroma * Math.sin((hue * Math.PI) / 180)
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ]
  const channel = (x: number) => {
    const c = Math.min(1, Math.max(0, x))
    const encoded = c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055
    return Math.round(encoded * 255)
      .toString(16)
      .padStart(2, '0')
  }
  return `#${linear.map(channel).join('')}`
}

const known = new Map<string, string>()

export function colorOf(title: string): string {
  let color = known.get(title)
  if (!color) {
    const h = hash(title)
    const shade = SHADES[Math.floor(h / HUES) % SHADES.length] ?? { lightness: 0.55, chroma: 0.12 }
    color = oklchToHex(shade.lightness, shade.chroma, ((h % HUES) * 360) / HUES)
    known.set(title, color)
  }
  return color
}

export const OTHERS_COLOR = '#7d858c'
