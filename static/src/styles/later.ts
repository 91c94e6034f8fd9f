// Styles that the first view does not need: they travel after it, or with the views that need them.

import packages from './packages.css?url'
import print from './print.css?url'

const added = new Map<string, Promise<void>>()

function add(address: string, media: string): Promise<void> {
  let there = added.get(address)
  if (!there) {
    there = new Promise((done, fail) => {
      const link = document.createElement('link')
      link.rel = 'stylesheet'
      link.media = media
      link.href = address
      link.onload = () => done()
      link.onerror = () => {
        link.remove()
        added.delete(address)
        fail(new Error(address))
      }
      document.head.append(link)
    })
    added.set(address, there)
  }
  return there
}

/** Rejects if they cannot be fetched; the next call tries again. */
export const packageStyles = (): Promise<void> => add(packages, 'all')

export const printStyles = (): Promise<void> => add(print, 'print').catch(() => undefined)
