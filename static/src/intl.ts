// Formatters of Intl cost more to make than to use: each is made once for its language and options.

function cached<Options, Format>(make: (lang: string, options: Options) => Format) {
  const made = new Map<string, Format>()
  return (lang: string, options: Options): Format => {
    const key = lang + JSON.stringify(options)
    let format = made.get(key)
    if (!format) made.set(key, (format = make(lang, options)))
    return format
  }
}

export const numberFormat = cached(
  (lang, options: Intl.NumberFormatOptions) => new Intl.NumberFormat(lang, options),
)
export const dateFormat = cached(
  (lang, options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(lang, options),
)
export const pluralRules = cached(
  (lang, options: Intl.PluralRulesOptions) => new Intl.PluralRules(lang, options),
)
export const collator = cached(
  (lang, options: Intl.CollatorOptions) => new Intl.Collator(lang, options),
)
