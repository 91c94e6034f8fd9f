// The newest figures of the period that the address names, fetched again every minute.
// Only the latest request may change what is shown: an answer to an earlier one is dropped, however late
// it comes. While the hotspot is out of reach the figures stay, and the request is repeated.

import { computed, reactive, readonly, shallowReactive, watch } from 'vue'
import type { Period, PeriodList, Status } from './api'
import { get, NotThere, OutOfReach } from './api'
import { dayAt, slug, span } from './periods'
import { route } from './route'
import { stretchPeriod } from './stretch'

const REFRESH_MS = 60_000
/** Waits between tries while the hotspot is out of reach; the last one repeats. */
const RETRY_MS = [3_000, 5_000, 10_000, 20_000, 30_000]

interface State {
  status: Status | null
  /** false: this server has no status (plain v1 API) */
  hasStatus: boolean | null
  list: PeriodList | null
  /** the hotspot's day, as a label */
  today: string | null
  reachable: boolean | null
  /** the reader's clock at the last full answer, and the hotspot's at the same moment */
  answeredAt: number | null
  serverTimeAt: number | null
}

const state = reactive<State>({
  status: null,
  hasStatus: null,
  list: null,
  today: null,
  reachable: null,
  answeredAt: null,
  serverTimeAt: null,
})
export const feed = readonly(state) as Readonly<State>

/** The zone in which all instants are shown. */
export const timezone = computed(
  () => state.status?.timezone ?? state.list?.timezone ?? browserZone(),
)

function browserZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
}

/** Now on the hotspot's clock, where it is known. */
export function serverNow(): number {
  const now = Date.now() / 1000
  if (state.serverTimeAt === null || state.answeredAt === null) return now
  return state.serverTimeAt + (now - state.answeredAt / 1000)
}

/** Answers already seen, so that a step back shows figures also while the hotspot is out of reach. */
interface Answer {
  period: Period | null
  at: number
}
const CACHED_PERIODS = 40
const answers = shallowReactive(new Map<string, Answer>())

/** The hotspot's day. A plain v1 server does not send it: the newest day with figures is used instead. */
function findToday(): string {
  if (state.status) return dayAt(serverNow(), timezone.value)
  const newest = state.list?.periods.find((p) => p.aggKind === 'D')?.aggValue
  return newest ?? dayAt(Date.now() / 1000, timezone.value)
}

export const today = computed(() => state.today ?? dayAt(Date.now() / 1000, browserZone()))

/** The label to show: the one in the address, or today. Null until it is known which day it is. */
export const shownLabel = computed(() => route.label ?? state.today)

/** What is known of it; undefined: nothing yet. A null period: the server has no such period. */
export const shown = computed(() => answers.get(shownLabel.value ?? ''))

export const isPlain = computed(() => state.hasStatus === false)

/** UTC midnight of the first day that has figures; 0: not known. */
export const firstDay = computed(() => {
  const days = state.list?.periods.filter((p) => p.aggKind === 'D') ?? []
  return isPlain.value || !days.length ? 0 : Math.min(...days.map((p) => span(p.aggValue).first))
})

let latestRequest = 0
let tries = 0
let timer: ReturnType<typeof setTimeout> | undefined
/** The plain v1 API lacks our routes; found out once, and again after every silence. */
let plain: boolean | null = null

async function orNull<T>(promise: Promise<T>): Promise<T | null> {
  try {
    return await promise
  } catch (error) {
    if (error instanceof NotThere) return null
    throw error
  }
}

async function fetchPeriod(label: string): Promise<Period | null> {
  const { kind } = span(label)
  if (kind === 'S') return plain ? null : orNull(stretchPeriod(label))
  const period = await orNull(
    plain
      ? (await import('./plain')).plainPeriod(label)
      : get<Period>(`periods/${kind}/${slug(label)}`),
  )
  // A young hotspot is not ten empty columns and a full one: neighbours begin with the first known.
  if (period) {
    const shows = (entry: Period['trend'][number]) => entry.hasData || entry.aggValue === label
    period.trend = period.trend.slice(period.trend.findIndex(shows))
  }
  return period
}

export async function refresh(): Promise<void> {
  const request = ++latestRequest
  clearTimeout(timer)
  try {
    // The period is requested at once, on the guess that the reader's day is the hotspot's.
    const guess = route.label ?? today.value
    const early = fetchPeriod(guess)
    early.catch(() => undefined) // looked at below; here only so that it is never "unhandled"
    const [status, ours] = await Promise.all([
      orNull(get<Status>('status')),
      plain ? null : orNull(get<PeriodList>('periods')),
    ])
    if (request !== latestRequest) return
    const guessed = plain !== null || ours !== null
    plain = ours === null
    const list = ours ?? (await (await import('./plain')).plainPeriods())
    if (request !== latestRequest) return
    state.status = status
    state.hasStatus = status !== null
    state.list = list
    state.answeredAt = Date.now()
    state.serverTimeAt = status?.serverTime ?? null
    state.today = findToday()
    const label = route.label ?? state.today
    const period = await (guessed && label === guess ? early : fetchPeriod(label))
    if (request !== latestRequest) return
    answers.delete(label)
    answers.set(label, { period, at: Date.now() })
    const oldest = answers.keys().next()
    if (answers.size > CACHED_PERIODS && !oldest.done) answers.delete(oldest.value)
    state.reachable = true
    tries = 0
    timer = setTimeout(tick, REFRESH_MS)
  } catch (error) {
    if (request !== latestRequest) return
    if (!(error instanceof OutOfReach)) console.error(error)
    state.reachable = false
    plain = null
    timer = setTimeout(tick, RETRY_MS[Math.min(tries, RETRY_MS.length - 1)])
    tries += 1
  }
}

/** Nobody looks at a hidden page: it is refreshed when it is shown again. */
function tick(): void {
  if (document.visibilityState !== 'hidden') void refresh()
}

export function startFeed(): void {
  watch(
    () => route.label,
    () => void refresh(),
  )
  addEventListener('online', () => void refresh())
  document.addEventListener('visibilitychange', () => {
    const age = Date.now() - (state.answeredAt ?? 0)
    if (document.visibilityState === 'visible' && (age > REFRESH_MS || !state.reachable))
      void refresh()
  })
  void refresh()
}
