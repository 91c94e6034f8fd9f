// Texts in the reader's language, by their keys in the flat JSON catalogues of i18n/, with values for their
// {places}. English is the fallback, for a missing key as for a missing language. The build divides each
// catalogue: what only views beyond the first one say (`?later`) is fetched with these.

import { computed, ref, shallowRef, watch } from 'vue'
import en from './i18n/en.json'
import { numberFormat, pluralRules } from './intl'
import { readStored, writeStored } from './memory'

export type Key = keyof typeof en
type Entry = string | Partial<Record<Intl.LDMLPluralRule, string>>
export type Catalogue = Partial<Record<Key, Entry>>
export type Params = Record<string, string | number>

/** A catalogue as the build packs it: its texts in the order of the English keys. */
type Packed = Catalogue | (Entry | null)[]
type Part = () => Promise<{ default: Packed }>

interface Language {
  name: string
  rtl?: boolean
  /** the texts of the first view, and those of the others */
  parts: [Part, Part]
}
const enLater = () => import('./i18n/en.json?later') as Promise<{ default: Catalogue }>
/** A new language is an entry here and one catalogue. */
export const LANGUAGES = {
  en: { name: 'English', parts: [async () => ({ default: en }), enLater] },
  fr: {
    name: 'Français',
    parts: [() => import('./i18n/fr.json'), () => import('./i18n/fr.json?later')],
  },
  es: {
    name: 'Español',
    parts: [() => import('./i18n/es.json'), () => import('./i18n/es.json?later')],
  },
  ar: {
    name: 'العربية',
    rtl: true,
    parts: [() => import('./i18n/ar.json'), () => import('./i18n/ar.json?later')],
  },
} satisfies Record<string, Language>
export type Lang = keyof typeof LANGUAGES

const STORED_AS = 'offspot-metrics.lang'

export const isLang = (text: string | null | undefined): text is Lang =>
  !!text && Object.prototype.hasOwnProperty.call(LANGUAGES, text)

/** The address goes before the stored choice, that before the browser's, that before English. */
export function pickLanguage(
  search: string,
  stored: string | null,
  browser: readonly string[],
): Lang {
  const wanted = [new URLSearchParams(search).get('lang'), stored, ...browser]
  for (const tag of wanted) {
    const lang = tag?.toLowerCase().split(/[-_]/)[0]
    if (isLang(lang)) return lang
  }
  return 'en'
}

export const lang = ref<Lang>('en')

const browserLanguages = (): readonly string[] => navigator.languages ?? [navigator.language]

/**
 * The language as the browser has it, with its region: es-MX and es-ES write 950,990 and 950.990.
 * The calendar is that of the periods, which are Gregorian months wherever the reader lives.
 */
export function localeFor(lang: Lang, browser: readonly string[]): string {
  for (const tag of browser)
    try {
      const locale = new Intl.Locale(tag, { calendar: 'gregory' })
      if (locale.language === lang) return locale.toString()
    } catch {
      // a tag that is none, such as "en-US@posix"
    }
  return lang
}

/** What `Intl` is asked with. */
export const locale = computed(() => localeFor(lang.value, browserLanguages()))
const catalogue = shallowRef<Catalogue>(en)
let wanted: Lang = 'en'

export const isRtl = (): boolean => 'rtl' in LANGUAGES[lang.value]

export function zip(packed: Packed, english: Catalogue = en): Catalogue {
  if (!Array.isArray(packed)) return packed
  const keys = Object.keys(english) as Key[]
  return Object.fromEntries(keys.map((key, i) => [key, packed[i] ?? english[key]])) as Catalogue
}

/** Whether the texts of all views are wanted. */
let isWhole = false

async function textsOf(code: Lang): Promise<Catalogue> {
  const [first, later] = LANGUAGES[code].parts
  const [texts, others, english] = await Promise.all([
    first(),
    isWhole ? later() : null,
    isWhole ? enLater() : null,
  ])
  return {
    ...zip(texts.default),
    ...(others && english && zip(others.default, english.default)),
  }
}

/** Fetches the texts of the views beyond the first. Rejects if it cannot; the next call tries again. */
export async function wantAllTexts(): Promise<void> {
  if (isWhole) return
  isWhole = true
  try {
    const code = lang.value
    const texts = await textsOf(code)
    if (lang.value === code) catalogue.value = texts
  } catch (error) {
    isWhole = false
    throw error
  }
}

export async function useLanguage(next: Lang): Promise<void> {
  wanted = next
  try {
    const texts = await textsOf(next)
    if (wanted !== next) return
    catalogue.value = texts
    lang.value = next
  } catch {
    // The catalogue could not be fetched: the language on screen stays.
  }
}

export function chooseLanguage(next: Lang): Promise<void> {
  writeStored(STORED_AS, next)
  const query = new URLSearchParams(location.search)
  if (query.has('lang')) {
    query.set('lang', next)
    history.replaceState(history.state, '', `${location.pathname}?${query}`)
  }
  return useLanguage(next)
}

export function startLanguage(): Promise<void> {
  watch(
    lang,
    (code) => {
      document.documentElement.lang = code
      document.documentElement.dir = isRtl() ? 'rtl' : 'ltr'
    },
    { immediate: true },
  )
  return useLanguage(pickLanguage(location.search, readStored(STORED_AS), browserLanguages()))
}

export function t(key: Key, params: Params = {}): string {
  let entry: Entry | undefined = catalogue.value[key] ?? (en as Catalogue)[key]
  if (entry === undefined) return key
  if (typeof entry !== 'string') {
    const rule = pluralRules(locale.value, {}).select(Number(params.n ?? 0))
    entry = entry[rule] ?? entry.other ?? key
  }
  return entry.replace(/\{(\w+)\}/g, (place, name: string) => {
    const value = params[name]
    if (value === undefined) return place
    return typeof value === 'number' ? numberFormat(locale.value, {}).format(value) : value
  })
}

/** For keys put together at run time, such as fates of lines: undefined when there is no text. */
export function maybe(key: string, params: Params = {}): string | undefined {
  return key in catalogue.value || key in en ? t(key as Key, params) : undefined
}
