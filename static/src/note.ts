// What the reader wants to say on the printed page. It stays in the browser.

import { ref, watch } from 'vue'
import { readStored, writeStored } from './memory'

const STORED_AS = 'offspot-metrics.note'
export const LONGEST_NOTE = 400

export const note = ref((readStored(STORED_AS) ?? '').slice(0, LONGEST_NOTE))
watch(note, (text) => writeStored(STORED_AS, text.slice(0, LONGEST_NOTE)))
