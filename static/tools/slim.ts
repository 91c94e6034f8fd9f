// Vite plugins that keep the page with its four languages within the budget. Only the build uses them.
// * Keys that stand whole in the source ('uptime.share') become short there and in the catalogues. Those
//   that are put together at run time (`kind.${k}`) stay: they begin with one of the PREFIXES.
// * Texts of views beyond the first, those that begin with one of LATER, are a part of their own in each
//   language (`?later`), which is fetched with such a view.
// * Translations travel as the bare list of their texts, in the order of the English keys, which every
//   page has anyway. `zip` in src/i18n.ts undoes it.

import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { Plugin } from 'vite'

const PREFIXES = [
  'clock.',
  'compare.',
  'content.',
  'fate.',
  'go.now.',
  'inside.',
  'kind.',
  'nav.',
  'previous.',
  'reader.',
  'reason.',
  'remedy.',
  'rows.',
  'theme.',
  'verdict.',
  'year.',
]

const LATER = [
  'about.',
  'clock.',
  'content.',
  'fate.',
  'package.',
  'packages.',
  'reader.',
  'reason.',
  'remedy.',
  'status.',
  'when.',
]

const startsWithOne = (key: string, prefixes: string[]) =>
  prefixes.some((prefix) => key.startsWith(prefix))

/** 'a0': a key that looked like a number would lose its place in the object. */
const FIRST = 360

const read = (file: string | URL) =>
  JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>

export function shortTexts(): Plugin {
  const english = Object.keys(read(new URL('../src/i18n/en.json', import.meta.url)))
  const shortened = new Map(
    english
      .filter((key) => !startsWithOne(key, PREFIXES))
      .map((key, i) => [key, (FIRST + i).toString(36)]),
  )
  return {
    name: 'short-texts',
    enforce: 'pre',
    apply: 'build',
    load(id) {
      // A language chunk loads nothing else, so Vite's helper for that is not needed.
      if (id.includes('vite/preload-helper')) return 'export const __vitePreload = (load) => load()'
      if (!/[\\/]src[\\/]i18n[\\/]\w+\.json(\?later)?$/.test(id)) return null
      const [file = '', later] = id.split('?')
      const texts = read(file)
      const keys = english.filter((key) => startsWithOne(key, LATER) === (later !== undefined))
      const packed = JSON.stringify(
        basename(file) === 'en.json'
          ? Object.fromEntries(keys.map((key) => [shortened.get(key) ?? key, texts[key]]))
          : keys.map((key) => texts[key] ?? null),
      )
      return later === undefined ? packed : { code: `export default ${packed}`, moduleType: 'js' }
    },
    transform(code, id) {
      if (!/[\\/]src[\\/].*\.(ts|vue)$/.test(id)) return null
      return code.replace(/'([a-z]+(?:\.[\w-]+)+)'/g, (whole, key: string) => {
        const short = shortened.get(key)
        return short === undefined ? whole : `'${short}'`
      })
    },
  }
}

/** Components carry their names for Vue's warnings, which a built page does not give. */
export function withoutNames(): Plugin {
  return {
    name: 'without-names',
    apply: 'build',
    transform(code, id) {
      return id.includes('.vue') ? code.replace(/\b__name: ["']\w+["'],?/, '') : null
    },
  }
}
