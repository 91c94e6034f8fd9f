import { describe, expect, it } from 'vitest'
import { barHeight, columns } from './geometry'

describe('columns', () => {
  it('share the width, and turn around for right-to-left', () => {
    const ltr = columns(4, 0.5, false)
    expect(ltr.map((c) => c.middle)).toEqual([12.5, 37.5, 62.5, 87.5])
    expect(columns(4, 0.5, true).map((c) => c.middle)).toEqual([87.5, 62.5, 37.5, 12.5])
  })
  it('something is never drawn as nothing', () => {
    expect(barHeight(0, 100, 90)).toBe(0)
    expect(barHeight(1, 100_000, 90)).toBe(3)
    expect(barHeight(100, 100, 90)).toBe(90)
    expect(barHeight(5, 0, 90)).toBe(0)
  })
})
