// The address of the page: which view and which period it names, and how to go to another.
// /  /2026-W24  /popularity/2026-06  /status ; an address without a period follows today.

import { reactive, readonly, ref } from 'vue'
import { readLabel, slug } from './periods'

export const VIEWS = ['overview', 'popularity', 'usage', 'status', 'about'] as const
export type View = (typeof VIEWS)[number]

export interface Route {
  view: View
  /** null: today, whatever day that is when the page is looked at */
  label: string | null
}

export function parsePath(path: string): Route {
  const parts = path.split('/').filter(Boolean).map(decode)
  const named = VIEWS.find((view) => view === parts[0])
  const label = readLabel(parts[named ? 1 : 0] ?? '')?.label ?? null
  return { view: named ?? 'overview', label }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

export function pathOf({ view, label }: Route): string {
  const parts = [view === 'overview' ? '' : view, label ? slug(label) : ''].filter(Boolean)
  return `/${parts.join('/')}`
}

const state = reactive<Route>(parsePath(location.pathname))
export const route = readonly(state)
/** How often the reader went to another view. Back and Forward do not count: the browser puts those in place. */
export const moves = ref(0)

/** Address of a place relative to the present one; the language in the query stays. */
export function href(to: Partial<Route>): string {
  return pathOf({ view: state.view, label: state.label, ...to }) + location.search
}

export function go(to: Partial<Route>): void {
  const address = href(to)
  if (address !== location.pathname + location.search) history.pushState(null, '', address)
  const from = state.view
  Object.assign(state, parsePath(location.pathname))
  if (state.view !== from) moves.value += 1
}

/** For links: lets the browser handle "open in a new tab" and takes the plain click itself. */
export function follow(event: MouseEvent, to: Partial<Route>): void {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  go(to)
}

addEventListener('popstate', () => Object.assign(state, parsePath(location.pathname)))
