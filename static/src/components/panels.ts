// What the buttons next to the period open. Few readers open any of it, so it is no part of the first view: it is
// fetched when the page has nothing else to do, or a button is pressed.

import { ref, shallowRef } from 'vue'

export const panels = shallowRef<typeof import('./panel-parts')>()
/** Whether the last try to fetch them failed. */
export const arePanelsMissing = ref(false)

export async function fetchPanels(): Promise<void> {
  if (panels.value) return
  try {
    panels.value = await import('./panel-parts')
    arePanelsMissing.value = false
  } catch {
    arePanelsMissing.value = true
  }
}
