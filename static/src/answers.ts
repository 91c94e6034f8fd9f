// What a view asks of the API beyond the figures of its period: fetched when the view is opened, again
// with each refresh of the page, and kept on screen while the hotspot is out of reach.

import { computed, shallowReactive, watch, type ComputedRef } from 'vue'
import { get, NotThere, OutOfReach } from './api'
import { feed } from './feed'

const CACHED = 40
const seen = shallowReactive(new Map<string, unknown>())

const asked = new Set<string>()

async function fetchInto(path: string): Promise<void> {
  if (asked.has(path)) return
  asked.add(path)
  try {
    const answer = await get<unknown>(path)
    seen.delete(path)
    seen.set(path, answer)
    const oldest = seen.keys().next()
    if (seen.size > CACHED && !oldest.done) seen.delete(oldest.value)
  } catch (error) {
    // A server without this route has nothing to show; one out of reach is tried again with the page.
    if (error instanceof NotThere) seen.set(path, null)
    else if (!(error instanceof OutOfReach)) console.error(error)
  } finally {
    asked.delete(path)
  }
}

/** The newest answer to a path of the API; undefined: none yet. Null: the server has no such thing. */
export function useAnswer<T>(path: () => string): ComputedRef<T | null | undefined> {
  watch([path, () => feed.answeredAt], () => void fetchInto(path()), { immediate: true })
  return computed(() => seen.get(path()) as T | null | undefined)
}
