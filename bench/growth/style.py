"""The report's style sheet: light and dark, screen and paper, two languages."""

_COLOURS = range(1, 7)

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --paper: #fff;
  --line: #d8dee4; --good: #1a7f37; --bad: #cf222e; --band: #dafbe1; --box: #f6f8fa;
  --c1: #0969da; --c2: #bc4c00; --c3: #1a7f37; --c4: #8250df; --c5: #bf3989;
  --c6: #57606a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1;
  --paper: #0d1117; --line: #30363d; --good: #3fb950; --bad: #f85149; --band: #12261e;
  --box: #161b22; --c1: #58a6ff; --c2: #f0883e; --c3: #3fb950; --c4: #bc8cff;
  --c5: #f778ba; --c6: #9198a1; } }
body { font: 16px/1.6 system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei",
  sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
  max-width: 1160px; padding: 16px 20px; }
label { margin: 0 14px 0 4px; color: var(--soft); }
#show-zh:checked ~ main .en, #show-en:checked ~ main .zh { display: none; }
h1 { line-height: 1.25; margin: 8px 0 4px; }
h2 { margin: 40px 0 8px; }
.lead { font-size: 1.15em; }
.soft { color: var(--soft); }
dt { font-weight: 600; float: left; clear: left; margin-right: 10px; }
dd { margin-left: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92em; }
th, td { padding: 5px 9px; border-bottom: 1px solid var(--line); text-align: right; }
td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.plots { display: grid; gap: 20px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); }
figure { margin: 0; background: var(--box); border-radius: 8px; padding: 12px 14px; }
figcaption { font-weight: 600; }
figcaption + p { margin: 0 0 4px; font-size: .88em; color: var(--soft); }
.plot { width: 100%; height: auto; }
.plot text { font-size: 12px; fill: var(--soft); }
.plot .label { font-weight: 600; }
.grid { stroke: var(--line); stroke-width: 1; }
.band { fill: var(--band); }
.bound { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 3 3; }
.line { fill: none; stroke-width: 2.2; }
@media print { label, input { display: none; } figure { break-inside: avoid; } }
""" + "\n".join(
    f".line.c{n} {{ stroke: var(--c{n}); }} "
    f".dot.c{n}, .plot .label.c{n} {{ fill: var(--c{n}); }}"
    for n in _COLOURS
)
