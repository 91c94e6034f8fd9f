// Whether the hotspot is counting: the server's verdict, in the reader's language. While the server does not
// answer, it is not known; the last verdict is never shown as if it still held.

import { computed } from 'vue'
import type { Verdict, VerdictReason, VerdictState } from './api'
import type { IconName } from './components/Icon.vue'
import { feed, timezone } from './feed'
import { bytes, clock, dateTime, duration } from './format'
import { maybe, t } from './i18n'

export type Tone = 'good' | 'wait' | 'warn' | 'bad'

const LOOKS: Record<VerdictState, { tone: Tone; icon: IconName }> = {
  counting: { tone: 'good', icon: 'good' },
  waiting: { tone: 'wait', icon: 'wait' },
  doubtful: { tone: 'warn', icon: 'warn' },
  unknown: { tone: 'warn', icon: 'warn' },
  'not-counting': { tone: 'bad', icon: 'warn' },
}
const UNKNOWN: Verdict = { state: 'unknown', reasons: [] }

/** Null: nothing has been heard of it yet, or the server gives no verdict. */
export const verdict = computed<Verdict | null>(() =>
  feed.reachable === false ? UNKNOWN : ((feed.status?.verdict as Verdict | undefined) ?? null),
)
export const look = computed(() => LOOKS[verdict.value?.state ?? 'unknown'] ?? LOOKS.unknown)

/** When the server answered last, on its own clock; empty while it answers. */
export const lastAnswer = computed(() => {
  if (feed.reachable !== false || !feed.answeredAt) return ''
  return clock(feed.serverTimeAt ?? feed.answeredAt / 1000, timezone.value)
})
export const noAnswer = computed(
  () => lastAnswer.value && t('state.noAnswer', { time: lastAnswer.value }),
)

/** What a value of a sentence is follows from its name. */
function shownValue(name: string, value: string | number): string | number {
  if (typeof value === 'string') return `\u2068${value}\u2069` // keeps its direction inside a sentence
  if (name === 'seconds') return duration(Math.abs(value))
  if (name === 'hours') return duration(value * 3600)
  if (name === 'bytes') return bytes(value)
  if (name === 'at') return dateTime(value, timezone.value)
  return value
}

/** The server's words as a sentence. */
const asSentence = (text: string): string =>
  text.replace(/^./, (letter) => letter.toUpperCase()).replace(/[^.!?]$/, '$&.')

/** A reason that this page does not know is shown in the server's words. */
export function reasonText({ code, text, values }: VerdictReason): string {
  const params = Object.entries(values).map(([name, value]) => [name, shownValue(name, value)])
  return maybe(`reason.${code}`, Object.fromEntries(params)) ?? asSentence(text)
}
export const remedyText = ({ code, remedy }: VerdictReason): string =>
  maybe(`remedy.${code}`) ?? remedy
