/** The symbol of Bucket, as SVG: a bucket with a check mark. It has no colour of its own. */
export const SYMBOL_PATHS = [
  'M4.5 8.5h23l-2.6 18.2a2.5 2.5 0 0 1-2.5 2.1H9.6a2.5 2.5 0 0 1-2.5-2.1z',
  'M7.5 8.5a8.5 6 0 0 1 17 0',
  'm11.8 18.2 3.2 3.2 5.4-6',
] as const

/** @param attributes of the `svg` element, such as a colour. */
export const symbolSvg = (attributes: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" fill="none" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round" ${attributes}>${SYMBOL_PATHS.map((path) => `<path d="${path}"/>`).join('')}</svg>`
