/**
 * The look of every page: colours for light and dark, text, controls and cards. The build makes a file of it for the page; pages
 * that the API sends carry it inside, because the deployed API has no files.
 */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: light-dark(#f4f6f3, #0d1310);
  --card: light-dark(#ffffff, #151d19);
  --well: light-dark(#eff3ef, #1b2520);
  --ink: light-dark(#14201a, #e8efea);
  --soft: light-dark(#52615a, #a5b4ab);
  --line: light-dark(#d8e0da, #2c3932);
  --edge: light-dark(#7d8c84, #6d7f75);
  --accent: light-dark(#0a6647, #67d5a8);
  --on-accent: light-dark(#ffffff, #052417);
  --tint: light-dark(#e4f2eb, #14322650);
  --bad: light-dark(#a1231c, #ffa198);
  --bad-tint: light-dark(#fcefed, #36191780);
  --mono: ui-monospace, 'SF Mono', SFMono-Regular, Menlo, Consolas, 'Liberation Mono', 'DejaVu Sans Mono', monospace;
}
*, ::before, ::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0;
  background: var(--paper);
  color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif;
}
h1, h2, h3, p, ul, ol, dl, dd, pre, figure { margin: 0; }
h1 { font-size: 1.6rem; line-height: 1.25; letter-spacing: -0.015em; text-wrap: balance; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; line-height: 1.35; }
h3 { font-size: 0.95rem; line-height: 1.4; }
a { color: var(--accent); text-underline-offset: 0.18em; text-decoration-thickness: 0.06em; }
a:hover { text-decoration-thickness: 0.12em; }
code, pre, kbd { font-family: var(--mono); font-size: 0.875em; font-variant-ligatures: none; }
code { overflow-wrap: anywhere; }
:not(pre) > code { background: var(--well); border-radius: 0.3em; padding: 0.1em 0.35em; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 0.3rem; }
[tabindex='-1']:focus-visible { outline: none; }

.top { border-bottom: 1px solid var(--line); background: var(--card); }
.top > div, .main, .foot { max-width: 58rem; margin: 0 auto; padding: 0 1.25rem; }
.top > div { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 1.5rem; min-height: 3.75rem; }
.brand { display: inline-flex; align-items: center; gap: 0.6rem; color: var(--ink); font-weight: 650; text-decoration: none; }
.brand svg { width: 1.6rem; height: 1.6rem; color: var(--accent); }
.top nav { display: flex; flex-wrap: wrap; gap: 0 0.25rem; margin-inline-start: auto; }
.top nav a { color: var(--soft); text-decoration: none; padding: 0.55rem 0.7rem; border-radius: 0.4rem; }
.top nav a:hover { color: var(--ink); background: var(--well); }
.top nav a[aria-current] { color: var(--ink); font-weight: 600; box-shadow: inset 0 -2px var(--accent); border-radius: 0; }
.main { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1.25rem; padding-top: 2rem; padding-bottom: 3rem; }
.foot { color: var(--soft); font-size: 0.875rem; padding-bottom: 2.5rem; }

.card { background: var(--card); border: 1px solid var(--line); border-radius: 0.75rem; padding: 1.25rem 1.4rem; }
.card > * + * { margin-top: 0.8rem; }
.soft { color: var(--soft); }
.small { font-size: 0.875rem; }
.lead { color: var(--soft); max-width: 42rem; text-wrap: pretty; }
.tag {
  display: inline-block; font-size: 0.8rem; line-height: 1.3; padding: 0.15rem 0.55rem; border-radius: 1rem;
  border: 1px solid var(--line); color: var(--soft); white-space: nowrap;
}
.tags { display: flex; flex-wrap: wrap; gap: 0.4rem; align-items: center; }
@media (max-width: 34rem) {
  .top > div, .main, .foot { padding-inline: 1rem; }
  .top > div { padding-block: 0.6rem 0; }
  .top nav { margin-inline: -0.7rem; width: calc(100% + 1.4rem); }
  .main { padding-top: 1.25rem; }
  .card { padding: 1rem; }
  h1 { font-size: 1.35rem; }
}
`
