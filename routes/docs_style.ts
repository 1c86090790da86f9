/** The only style of the page; its hash stands in the page's Content-Security-Policy. */
export const DOCS_STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 0 1rem 4rem; }
code, pre { font: 0.9em/1.5 ui-monospace, monospace; }
pre { background: var(--soft); overflow-x: auto; padding: 0.5rem 0.75rem; }
nav { columns: 18rem; } nav h3 { margin: 0.5rem 0 0; } nav ul { list-style: none; margin: 0 0 1rem; padding: 0; }
nav section { break-inside: avoid; }
h2 { border-bottom: 2px solid var(--line); margin-top: 3rem; }
article { border-bottom: 1px solid var(--line); padding-bottom: 1rem; }
h3 code { font-size: 1em; } b.method { display: inline-block; min-width: 4.5rem; }
table { border-collapse: collapse; margin: 0.5rem 0; } div.wide { overflow-x: auto; }
th, td { border: 1px solid var(--line); padding: 0.25rem 0.6rem; text-align: left; vertical-align: top; }
td table { margin: 0; } dt { font-weight: 600; margin-top: 0.5rem; }
:target { background: var(--soft); } a { color: LinkText; }
`;
