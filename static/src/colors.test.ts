import { expect, it } from 'vitest'
import { colorOf, OTHERS_COLOR } from './colors'

const GROUNDS = ['#ffffff', '#161a1f']
const NON_TEXT_CONTRAST = 3

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const c = parseInt(hex.slice(at, at + 2), 16) / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
function contrast(a: string, b: string): number {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x)
  return (high + 0.05) / (low + 0.05)
}

it('every colour is told from the card in both themes', () => {
  const colors = new Set([OTHERS_COLOR])
  for (let i = 0; i < 3000; i++) colors.add(colorOf(`Package ${i}`))
  expect(colors.size).toBeGreaterThan(100)
  for (const color of colors)
    for (const ground of GROUNDS)
      expect(contrast(color, ground), `${color} on ${ground}`).toBeGreaterThan(NON_TEXT_CONTRAST)
})

it('a title keeps its colour, whatever is shown next to it', () => {
  const before = colorOf('Bees')
  for (let i = 0; i < 100; i++) colorOf(`Other ${i}`)
  expect(colorOf('Bees')).toBe(before)
  expect(before).toMatch(/^#[0-9a-f]{6}$/)
})
