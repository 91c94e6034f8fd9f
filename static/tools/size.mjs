// Fails when the built JavaScript and CSS, every language included, outgrow the budget.
import { readdirSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const BUDGET_BYTES = 60_000
const folder = new URL('../dist/assets/', import.meta.url)
let total = 0
for (const name of readdirSync(folder).sort()) {
  if (!/\.(js|css)$/.test(name)) continue
  const raw = readFileSync(new URL(name, folder))
  const bytes = gzipSync(raw, { level: 9 }).length
  total += bytes
  console.log(`${String(bytes).padStart(7)}  gzip ${String(raw.length).padStart(7)}  raw  ${name}`)
}
console.log(`${String(total).padStart(7)}  of ${BUDGET_BYTES} bytes`)
if (total > BUDGET_BYTES) {
  console.error(
    'Over the budget: find what grew, with `npm run build` before and after the change.',
  )
  process.exit(1)
}
