// The panels that are fetched together.

export { default as ExportPanel } from './ExportPanel.vue'
export { default as KeyHelp } from './KeyHelp.vue'
export { default as MonthPicker } from './MonthPicker.vue'
export { default as StretchPicker } from './StretchPicker.vue'
