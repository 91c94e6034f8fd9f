import { beforeEach, expect, it } from 'vitest'
import { go, href, moves, parsePath, pathOf, route } from './route'

beforeEach(() => {
  history.replaceState(null, '', '/')
  dispatchEvent(new PopStateEvent('popstate'))
})

it('an address names a view, a stretch of time and choices, and is written as it was read', () => {
  for (const address of [
    '/',
    '/2026-11',
    '/2026-W24',
    '/2026-09-01..2026-11-30',
    '/packages/2026-11?sort=time&find=wiki',
    '/package/2026?title=Caf%C3%A9+%2F+%23%3F%26',
    '/when/2026-11',
    '/status',
    '/about',
  ]) {
    const [path = '', search = ''] = address.split('?')
    expect(pathOf(parsePath(path, search))).toBe(address)
  }
  expect(parsePath('/packages/2026-W24', '?sort=time')).toMatchObject({
    view: 'packages',
    label: '2026 W24',
    sort: 'time',
    title: null,
  })
})

it('addresses of before lead to the lists that took their place', () => {
  expect(parsePath('/popularity/2026-06')).toMatchObject({
    view: 'packages',
    sort: 'visits',
    label: '2026-06',
  })
  expect(parsePath('/usage')).toMatchObject({ view: 'packages', sort: 'time', label: null })
  expect(parsePath('/package/2026').view).toBe('packages')
  expect(parsePath('/constructor/2026-06')).toMatchObject({ view: 'overview', label: null })
  expect(parsePath('/%E0%A4%A/2026-06').view).toBe('overview')
})

it('choices end with their view, and the language stays', () => {
  history.replaceState(null, '', '/packages/2026-11?lang=fr&sort=time&find=wiki')
  dispatchEvent(new PopStateEvent('popstate'))
  expect(href({ view: 'package', title: 'Bees' })).toBe('/package/2026-11?lang=fr&title=Bees')
  expect(href({ label: '2026-10' })).toBe('/packages/2026-10?lang=fr&sort=time&find=wiki')
  expect(href({ view: 'overview' })).toBe('/2026-11?lang=fr')
})

it('what is typed makes no step in the history, and only another page is a move', () => {
  go({ view: 'packages', label: '2026-11' })
  const { length } = history
  const moved = moves.value
  go({ find: 'w' }, true)
  go({ find: 'wi' }, true)
  expect(history.length).toBe(length)
  expect(route.find).toBe('wi')
  expect(location.search).toBe('?find=wi')
  expect(moves.value).toBe(moved)
  go({ view: 'package', title: 'Bees' })
  go({ title: 'Wasps' })
  expect(moves.value).toBe(moved + 2)
})
