// Typesets formulas with the vendored MathJax: one JSON request on standard input, one JSON answer on
// standard output. scripts/handbook/mathematics.py is its only caller.
//
// request  {"macros": {"name": "TeX"}, "formulas": [[tex, display], …]}
// answer   {"formulas": [{"html": "…"} or {"error": "…"}, …], "styles": {selector: rule}}

import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {init} from '../vendor/mathjax/node-main.mjs';

const EXTENSIONS = ['boldsymbol', 'cancel', 'mathtools'];
// Read only by MathJax's menu, explorer and measuring, which are not shipped: three quarters of a page.
const NOISE = /^(data-.*|id|noic|overflow|texclass|unselectable|variant|xmlns)$/;

const {macros, formulas} = JSON.parse(readFileSync(0, 'utf8'));
const newcm = fileURLToPath(new URL('../vendor/mathjax/newcm', import.meta.url));
const {startup: {adaptor, output}, tex2chtmlPromise, chtmlStylesheet} = await init({
  loader: {
    load: ['input/tex', 'output/chtml', 'a11y/assistive-mml', ...EXTENSIONS.map((name) => `[tex]/${name}`)],
    paths: {'mathjax-newcm': newcm},
  },
  tex: {
    // An unknown macro is an error, and no formula defines one: it would leak into those behind it.
    packages: {'[-]': ['noundefined', 'require', 'autoload', 'newcommand'], '[+]': EXTENSIONS},
    macros,
    formatError: (_, error) => { throw error; },
  },
  chtml: {dynamicPrefix: `${newcm}/chtml/dynamic`},
});

function clean(node) {
  for (const {name, value} of adaptor.allAttributes(node)) {
    if (NOISE.test(name) || (name === 'style' && value.includes('NaN'))) adaptor.removeAttribute(node, name);
  }
  adaptor.childNodes(node).filter((child) => child.attributes).forEach(clean);
}

async function typeset([tex, display]) {
  try {
    const node = await tex2chtmlPromise(tex, {display});
    clean(node);
    // Search reads the MathML; the same letters a second time would only be noise.
    adaptor.setAttribute(adaptor.firstChild(node), 'data-search-exclude', 'true');
    const source = tex.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
    return {html: adaptor.outerHTML(node).replace('<mjx-container', () => `<mjx-container data-tex="${source}"`)};
  } catch (error) {
    return {error: error.message};
  }
}

// The rules of every kind of element, so that the general part of the style sheet is always the same.
for (const kind of output.factory.getKinds()) output.wrapperUsage.add(kind);

const results = [];
for (const formula of formulas) results.push(await typeset(formula));

const rules = adaptor.cssText(chtmlStylesheet()).split(/\n\n+/).filter((rule) => rule.trim());
const styles = Object.fromEntries(rules.map((rule) => [rule.slice(0, rule.indexOf('{')).trim(), rule.trim()]));
process.stdout.write(JSON.stringify({formulas: results, styles}));
