// The colour scheme: the device's preference, unless the user chose one.

import { ref, watch } from 'vue'
import { readStored, writeStored } from './memory'

export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

const STORED_AS = 'offspot-metrics.theme'
const stored = readStored(STORED_AS)

export const theme = ref<Theme>(THEMES.find((name) => name === stored) ?? 'system')

watch(
  theme,
  (name) => {
    if (name === 'system') document.documentElement.removeAttribute('data-theme')
    else document.documentElement.setAttribute('data-theme', name)
  },
  { immediate: true },
)

export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'system'
  writeStored(STORED_AS, theme.value)
}
