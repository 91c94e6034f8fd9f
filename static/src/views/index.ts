// The component of each view. The first one belongs to the page; the others are parts of their own, fetched
// when they are opened, and again when that failed and the hotspot answers.

import { ref, shallowReactive, type Component } from 'vue'
import { wantAllTexts } from '../i18n'
import type { View } from '../route'
import { packageStyles } from '../styles/later'
import OverviewView from './OverviewView.vue'

type Part = Promise<{ default: Component }>
const styled = (part: Part): Part => Promise.all([part, packageStyles()]).then(([view]) => view)

const LOADERS: Record<Exclude<View, 'overview'>, () => Part> = {
  packages: () => styled(import('./PackagesView.vue')),
  package: () => styled(import('./PackageView.vue')),
  when: () => styled(import('./WhenView.vue')),
  status: () => import('./StatusView.vue'),
  about: () => import('./AboutView.vue'),
}

/** The views that are here. Those of a stretch of time take its `label` and its `period`. */
export const views = shallowReactive<Partial<Record<View, Component>>>({ overview: OverviewView })
/** Whether the last try to fetch one failed. */
export const isViewMissing = ref(false)

export async function fetchView(view: View): Promise<void> {
  isViewMissing.value = false
  if (view === 'overview' || views[view]) return
  try {
    const [part] = await Promise.all([LOADERS[view](), wantAllTexts()])
    views[view] = part.default
  } catch {
    isViewMissing.value = true
  }
}
