// Fails when the built JavaScript and CSS outgrow the budgets: until the first view is complete, in
// the language that takes most, and in all.
import { readdirSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const FIRST_VIEW_BYTES = 60_000
const ALL_BYTES = 95_000
const folder = new URL('../dist/assets/', import.meta.url)
const index = readFileSync(new URL('../dist/index.html', import.meta.url), 'utf8')
let total = 0
let first = 0
let largestLanguage = 0
for (const name of readdirSync(folder).sort()) {
  if (!/\.(js|css)$/.test(name)) continue
  const raw = readFileSync(new URL(name, folder))
  const bytes = gzipSync(raw, { level: 9 }).length
  total += bytes
  if (index.includes(name)) first += bytes
  else if (/^(fr|es|ar)-/.test(name)) largestLanguage = Math.max(largestLanguage, bytes)
  console.log(`${String(bytes).padStart(7)}  gzip ${String(raw.length).padStart(7)}  raw  ${name}`)
}
first += largestLanguage
console.log(`${String(first).padStart(7)}  of ${FIRST_VIEW_BYTES} bytes until the first view`)
console.log(`${String(total).padStart(7)}  of ${ALL_BYTES} bytes in all`)
if (first > FIRST_VIEW_BYTES || total > ALL_BYTES) {
  console.error(
    'Over the budget: find what grew, with `npm run build` before and after the change.',
  )
  process.exit(1)
}
