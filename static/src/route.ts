// The address of the page: which view and which stretch of time it names, and how to go to another.
// /  /2026-W24  /2026-09-01..2026-11-30  /packages/2026-06?sort=time  /package/2026-06?title=Bees  /status
// An address without a stretch follows today.

import { reactive, readonly, ref } from 'vue'
import { readLabel, slug } from './periods'

export const VIEWS = ['overview', 'packages', 'package', 'when', 'status', 'about'] as const
export type View = (typeof VIEWS)[number]
/** A package's own page is reached from the lists. */
export const MENU = VIEWS.filter((view): view is Exclude<View, 'package'> => view !== 'package')
/** Views of a stretch of time. */
export const PERIOD_VIEWS: readonly View[] = ['overview', 'packages', 'package', 'when']

/** Choices within a view that are part of its address, in the query. */
const CHOICES = { title: null, sort: null, find: null }
type Choices = { [Name in keyof typeof CHOICES]: string | null }

export interface Route extends Choices {
  view: View
  /** null: today, whatever day that is when the page is looked at */
  label: string | null
}

/** Addresses of before, which people have noted down. */
const FORMER: Record<string, Partial<Route>> = {
  popularity: { view: 'packages', sort: 'visits' },
  usage: { view: 'packages', sort: 'time' },
}

export function parsePath(path: string, search = ''): Route {
  const parts = path.split('/').filter(Boolean).map(decode)
  const [first = ''] = parts
  const former = Object.prototype.hasOwnProperty.call(FORMER, first) ? FORMER[first] : undefined
  const view = VIEWS.find((name) => name === first)
  const label = readLabel(parts[view || former ? 1 : 0] ?? '')?.label ?? null
  const query = new URLSearchParams(search)
  // A package without a name: the list of all.
  const shown = view === 'package' && !query.get('title') ? 'packages' : view
  const choices = Object.fromEntries(Object.keys(CHOICES).map((name) => [name, query.get(name)]))
  return { ...(choices as Choices), view: shown ?? 'overview', label, ...former }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** `search`: the query of the present address, of which the language stays. */
export function pathOf(to: Route, search = ''): string {
  const { view, label } = to
  const parts = [view === 'overview' ? '' : view, label ? slug(label) : ''].filter(Boolean)
  const query = new URLSearchParams(search)
  for (const name of Object.keys(CHOICES) as (keyof Choices)[]) {
    query.delete(name)
    const choice = to[name]
    if (choice) query.set(name, choice)
  }
  const text = query.toString()
  return `/${parts.join('/')}${text && `?${text}`}`
}

const here = (): Route => parsePath(location.pathname, location.search)
const state = reactive<Route>(here())
export const route = readonly(state)
/** How often the reader went to another view. Back and Forward do not count: the browser puts those in place. */
export const moves = ref(0)

/** Where `to` leads from the present place: choices belong to a view and end with it. */
function target(to: Partial<Route>): Route {
  const leaves = to.view !== undefined && to.view !== state.view
  return { ...state, ...(leaves ? CHOICES : {}), ...to }
}

export function href(to: Partial<Route>): string {
  return pathOf(target(to), location.search)
}

/** `replace`: without a step in the history, for what changes with each letter typed. */
export function go(to: Partial<Route>, replace = false): void {
  const address = href(to)
  if (address !== location.pathname + location.search)
    history[replace ? 'replaceState' : 'pushState'](null, '', address)
  const { view, title } = state
  Object.assign(state, here())
  if (state.view !== view || state.title !== title) moves.value += 1
}

/** For links: lets the browser handle "open in a new tab" and takes the plain click itself. */
export function follow(event: MouseEvent, to: Partial<Route>): void {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  go(to)
}

addEventListener('popstate', () => Object.assign(state, here()))
