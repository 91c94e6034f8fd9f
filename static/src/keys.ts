// Keys that lead to other periods. They can be switched off, as people who dictate set them off by accident.

import { ref, watch } from 'vue'
import { readStored, writeStored } from './memory'

const STORED_AS = 'offspot-metrics.keys'

export const areKeysOn = ref(readStored(STORED_AS) !== 'off')
watch(areKeysOn, (on) => writeStored(STORED_AS, on ? 'on' : 'off'))

/** The key of an event that is meant for the page: not for a field, a menu or the browser. */
export function keyOf(event: KeyboardEvent): string | null {
  if (!areKeysOn.value || event.defaultPrevented || event.isComposing) return null
  if (event.ctrlKey || event.metaKey || event.altKey) return null
  const target = event.target as HTMLElement | null
  if (target?.closest?.('input, select, textarea, [contenteditable], .panel')) return null
  return event.key.length === 1 ? event.key.toLowerCase() : event.key
}
