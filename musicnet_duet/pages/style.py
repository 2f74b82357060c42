"""The stylesheet of every page."""

STYLE = """
:root { color-scheme: light dark; --paper: #fdfdfb; --ink: #1f2328; --soft: #5c6570;
  --line: #d9dce1; --card: #f3f4f2; --accent: #2f6db3; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171b; --ink: #e4e7ea; --soft: #9aa4af; --line: #333a42;
    --card: #1c2127; --accent: #7fb2ea; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; padding-bottom: .25rem;
  border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
p { max-width: 46rem; overflow-wrap: anywhere; }
.soft, figcaption { color: var(--soft); font-size: .9rem; }
.warning { border-left: 4px solid #c8501e; padding: .25rem .75rem; background: var(--card); }
.scroll { overflow-x: auto; max-width: 100%; }
.scroll:focus-visible { outline: 2px solid var(--accent); }
table { border-collapse: collapse; margin: 0 0 1.25rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .35rem; }
th, td { padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
thead th { color: var(--soft); font-weight: 600; font-size: .9rem; }
tbody th { font-weight: 400; }
.number { text-align: right; white-space: nowrap; }
figure { margin: 0 0 1.25rem; }
img { display: block; width: 100%; min-width: 30rem; max-width: 60rem; height: auto; }
audio { display: block; width: 100%; max-width: 60rem; }
.windows { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1.25rem; }
article { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: 1rem; min-width: 0; }
article figure { margin-bottom: .5rem; }
@media (min-width: 1100px) { .windows { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
"""
