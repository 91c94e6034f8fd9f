import { describe, expect, it } from 'vitest'
import { changeOf } from './change'
import { percent } from './format'

describe('a change', () => {
  it('of small figures is a difference', () => {
    expect(changeOf(2, 1)).toEqual({ as: 'difference', by: 1 })
    expect(changeOf(0, 19)).toEqual({ as: 'difference', by: 19 })
    expect(changeOf(7, 0)).toEqual({ as: 'difference', by: 7 })
  })
  it('is a percentage up to three times as much', () => {
    expect(changeOf(21, 20)).toEqual({ as: 'percent', by: 1 })
    expect(changeOf(0, 20)).toEqual({ as: 'percent', by: 20 })
    expect(changeOf(60, 20)).toEqual({ as: 'percent', by: 40 })
  })
  it('is a factor beyond', () => {
    expect(changeOf(61, 20)).toEqual({ as: 'times', times: 3.1 })
    expect(changeOf(140, 20)).toEqual({ as: 'times', times: 7 })
    expect(changeOf(2510, 20)).toEqual({ as: 'times', times: 126 })
  })
  it('is none where nothing changed, and a difference where that is wanted', () => {
    expect(changeOf(0, 0)).toEqual({ as: 'same' })
    expect(changeOf(600, 600, true)).toEqual({ as: 'same' })
    expect(changeOf(660, 600, true)).toEqual({ as: 'difference', by: 60 })
  })
})

it('less than one percent is said as that, never as nothing', () => {
  const plain = (part: number, whole: number) => percent(part, whole).replace(/[\u2066\u2069]/g, '')
  expect(plain(1, 100_000)).toBe('<\u00a01%')
  expect(plain(99, 10_000)).toBe('<\u00a01%')
  expect(plain(1, 100)).toBe('1%')
  expect(plain(0, 100)).toBe('0%')
})
