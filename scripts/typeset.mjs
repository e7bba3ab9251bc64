// Typesets formulas with the vendored MathJax: one JSON request on standard input, one JSON answer on
// standard output. scripts/handbook/mathematics.py is its only caller.
//
// request  {"macros": {"name": "TeX"}, "output": "chtml" or "svg", "width": of a line in ex, "formulas": [[tex, display], …]}
// answer   {"formulas": [{"html": "…"} or {"error": "…"}, …], "styles": {selector: rule}}
// for svg  {"formulas": [{"html": "…"} …]}: one <svg> for each part between two possible line breaks, and between them
//          <mjx-break gap="0.222">, the space in em where the line goes on

import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {init} from '../vendor/mathjax/node-main.mjs';

const EXTENSIONS = ['boldsymbol', 'cancel', 'mathtools'];
// Read only by MathJax's menu, explorer and measuring, which are not shipped: three quarters of a page.
const NOISE = /^(data-.*|id|noic|overflow|texclass|unselectable|variant|xmlns)$/;

const {macros, formulas, output: kind, width} = JSON.parse(readFileSync(0, 'utf8'));
const newcm = fileURLToPath(new URL('../vendor/mathjax/newcm', import.meta.url));
const {startup: {adaptor, document, output}, tex2chtmlPromise, tex2svgPromise, chtmlStylesheet} = await init({
  loader: {
    load: ['input/tex', `output/${kind}`, ...(kind === 'svg' ? [] : ['a11y/assistive-mml']), ...EXTENSIONS.map((name) => `[tex]/${name}`)],
    paths: {'mathjax-newcm': newcm},
  },
  tex: {
    // An unknown macro is an error, and no formula defines one: it would leak into those behind it.
    packages: {'[-]': ['noundefined', 'require', 'autoload', 'newcommand'], '[+]': EXTENSIONS},
    macros,
    formatError: (_, error) => { throw error; },
  },
  chtml: {dynamicPrefix: `${newcm}/chtml/dynamic`},
  svg: {dynamicPrefix: `${newcm}/svg/dynamic`, fontCache: 'local', displayOverflow: 'linebreak'}, // a glyph's id names its font and character
});

function clean(node) {
  for (const {name, value} of adaptor.allAttributes(node)) {
    const named = name === 'id' && value.startsWith('MJX-'); // a glyph that a drawing uses
    if ((NOISE.test(name) && !named) || (name === 'style' && value.includes('NaN'))) adaptor.removeAttribute(node, name);
  }
  adaptor.childNodes(node).filter((child) => child.attributes).forEach(clean);
}

// Where a formula in the text may break: as in TeX behind a relation or an operator, but neither between
// delimiters nor within 3 × 10⁹. A part that is then wider than `limit` ex may break between delimiters too.
const limit = 0.6 * width;
let unbroken = true;
let root; // of the formula that is typeset
const [BINARY, RELATION, OPEN, CLOSE] = [2, 3, 4, 5]; // MathJax's classes

// TeX's class of closing delimiters holds ! and ? too.
const closes = (operator) => /^[)\]}⟩⌋⌉]$/.test(operator.getText()) || (operator.texClass === CLOSE && !/^[!?]$/.test(operator.getText()));

function markBreaks(node, depth = 0) {
  const children = node.childNodes;
  children.forEach((child, index) => {
    if (child.isKind('mstyle')) depth = markBreaks(child.childNodes[0], depth);
    if (!child.isEmbellished) return;
    const operator = child.coreMO();
    const text = operator.getText();
    if (closes(operator)) depth = Math.max(0, depth - 1);
    if (/^[([{⟨⌊⌈]$/.test(text) || operator.texClass === OPEN) depth += 1;
    if (operator.attributes.get('linebreak') !== 'auto') return;
    operator.attributes.set('linebreak', 'nobreak'); // before it
    const [before, after] = [children[index - 1], children[index + 1]];
    const power = text === '×' && before?.isKind('mn') && isTenth(after);
    if (!before || !after || power || (unbroken && depth > 0) || ![BINARY, RELATION].includes(operator.texClass)) return;
    operator.setProperty('forcebreak', true);
    operator.attributes.set('linebreakstyle', 'after');
    for (const each of [node, node.parent]) each.setProperty('process-breaks', true);
  });
  return depth;
}

// On a page MathJax breaks before operators, but it would within parentheses too, and before a number's sign. Here not deeper
// in delimiters than `deepest`, which grows until no part has more glyphs than fit a phone's line. A short formula stays whole.
const short = 10;
const fits = 26;
const holds = 20; // glyphs of a part that stays whole though it could break before + or the like
let deepest = 0;

function forbidBreaks(node, depth = 0) {
  const row = []; // children with their depths
  for (const [index, child] of node.childNodes.entries()) {
    if (!child) continue; // a base or a script that is left out
    if (isBlank(child)) child.attributes.set('linebreak', 'nobreak'); // 99 %
    if (!child.isEmbellished) {
      row.push([child, depth]);
      if (child.isKind('mrow') || child.isKind('mstyle') || child.isKind('TeXAtom')) {
        for (const row of child.isKind('mrow') ? [child] : child.childNodes) depth = forbidBreaks(row, depth);
      }
      continue;
    }
    const operator = child.coreMO();
    const text = operator.getText();
    const opens = /^[([{⟨⌊⌈]$/.test(text) || operator.texClass === OPEN;
    if (closes(operator)) depth = Math.max(0, depth - 1);
    row.push([child, depth]);
    const before = node.childNodes[index - 1];
    const sign = /^[-−+±∓]$/.test(text) && (!before || before.isEmbellished && before.coreMO().texClass !== CLOSE);
    if (depth > deepest || sign) operator.attributes.set('linebreak', 'nobreak');
    if (opens) depth += 1;
  }
  if (!depth && deepest >= 0) chooseBreaks(row);
  return depth;
}

const isBlank = (node) => node.isKind('mspace') && /^(auto|nobreak)$/.test(node.attributes.get('linebreak')) && parseFloat(node.attributes.get('width')) < 0.5;
const isOf = (texClass) => ([child, depth]) => !depth && child.isEmbellished && child.coreMO().texClass === texClass;
const isComma = ([child, depth]) => !depth && child.isKind('mo') && /^[,;]$/.test(child.getText());

// What TeX leaves to its penalties: a list of equations breaks behind its commas, an equation before its relations, but
// not behind a left side of one or two symbols, and before other operators only where that leaves too long a part.
function chooseBreaks(row) {
  const forbid = ([child]) => child.coreMO().attributes.set('linebreak', 'nobreak');
  const equations = [[]];
  for (const item of row) {
    equations.at(-1).push(item);
    if (isComma(item)) equations.push([]);
  }
  const isEquation = (items) => items?.some(isOf(RELATION));
  for (const [index, items] of equations.entries()) {
    if (!isEquation(items)) continue;
    if (isEquation(equations[index + 1])) breakBehind(items.at(-1)[0], equations[index + 1][0][0]);
    const isListed = isEquation(equations[index + 1]) || isEquation(equations[index - 1]);
    const sides = [[]];
    for (const item of items) {
      if (isOf(RELATION)(item)) sides.push([]);
      sides.at(-1).push(item);
    }
    if (isListed && letters(items) <= short) sides.slice(1).forEach(([relation]) => forbid(relation));
    else if (sides[0].length <= 2 && letters(sides[0]) <= 4 && (letters([...sides[0], ...sides[1]]) <= holds || sides[1].some(isOf(BINARY)))) {
      forbid(sides[1][0]);
      sides.splice(0, 2, [...sides[0], ...sides[1]]);
    }
    for (const side of sides) if (letters(side) <= holds) side.filter(isOf(BINARY)).forEach(forbid);
  }
}

function breakBehind(comma, next) {
  if (next.isKind('mtext') && next.getText() === '\u00A0') { // of "\ "
    next.parent.replaceChild(next.factory.create('mspace', {width: '0.25em'}), next);
  } else if (isBlank(next)) {
    next.attributes.set('linebreak', 'auto');
  } else if (!next.isKind('mspace')) {
    comma.attributes.set('linebreak', 'goodbreak');
    comma.attributes.set('linebreakstyle', 'after');
  }
}

// MathJax starts a line with the blank at which it broke. The break itself takes its width, which a browser leaves out there.
function joinBlanks(node) {
  for (const blank of adaptor.tags(node, 'mjx-mspace')) {
    const before = adaptor.previous(blank);
    if (!before || adaptor.kind(before) !== 'mjx-break') continue;
    adaptor.removeAttribute(before, 'size');
    adaptor.setStyle(before, 'letter-spacing', `${parseFloat(adaptor.getStyle(blank, 'width')) - 1}em`);
    adaptor.remove(blank);
  }
}

function letters(row) {
  let sum = 0;
  for (const [child] of row) child.walkTree((node) => { if (node.isToken) sum += [...node.getText()].length; });
  return sum;
}

// How many glyphs each part between two possible breaks has.
const parts = (node) => adaptor.outerHTML(node).split('<mjx-assistive-mml')[0].split('<mjx-break').map((part) => part.split('<mjx-c ').length - 1);

function isTenth(node) {
  const base = node?.isKind('msup') ? node.childNodes[0] : node;
  return base?.isKind('mn') && base.getText() === '10';
}

// MathJax leaves out the space at a break; the reader of the drawing puts it back where the line goes on.
function markGaps(node) {
  const gaps = [];
  root.walkTree((each) => {
    if (!each.isKind('mo') && !each.isKind('mspace') || !each.getProperty('forcebreak')) return;
    gaps.push(each.texClass === BINARY ? 4 / 18 : each.texClass === RELATION ? 5 / 18 : 0);
  });
  const breaks = adaptor.tags(node, 'mjx-break');
  if (breaks.length !== gaps.length) throw new Error('a formula in the text breaks its line: display it');
  breaks.forEach((each, index) => adaptor.setAttribute(each, 'gap', gaps[index].toFixed(3)));
}

const widest = (node) => Math.max(...adaptor.tags(node, 'svg').map((svg) => parseFloat(adaptor.getAttribute(svg, 'width')) || 0));

// What MathJax's style sheet says of lines, for readers that apply no style sheet to a drawing.
function draw(node) {
  const kind = adaptor.getAttribute(node, 'class');
  const names = adaptor.allAttributes(node).map(({name}) => name).join();
  if (/^(line|rect)$/.test(adaptor.kind(node)) && /data-(line|frame)/.test(names)) {
    adaptor.setAttribute(node, 'fill', 'none');
    adaptor.setAttribute(node, 'stroke-width', '70');
  }
  if (kind === 'mjx-dashed') adaptor.setAttribute(node, 'stroke-dasharray', '140');
  if (kind === 'mjx-dotted') adaptor.setAttribute(node, 'stroke-dasharray', '0,140');
  if (kind === 'mjx-dotted') adaptor.setAttribute(node, 'stroke-linecap', 'round');
  // These hold a numbered formula and its number; their boxes are one unit wide.
  if (/data-(table|labels)/.test(names)) adaptor.setAttribute(node, 'style', 'overflow: visible');
  if (kind) adaptor.removeAttribute(node, 'class');
  adaptor.childNodes(node).filter((child) => child.attributes).forEach(draw);
}

// Where a displayed formula may take several lines, if it does not fit one, as on a phone: at \qquad, else at \quad, else before
// arrows of implication, else before relations, else before + and − of what is long. Not within delimiters, fractions and the
// like. Each part becomes a box, and between two at \quad stands a blank so wide, which a browser leaves out at the end of a line.
const IMPLICATIONS = /^[⇒⇐⇔⟸⟹⟺]$/;
const RELATIONS = /^[=≠<>≤≥≪≫≈≃∼∝≡∈←→↦⟵⟶⟷]$/;
const SIGNS = /^[+−]$/;
const LEVELS = [{gap: 2}, {gap: 1}, {before: IMPLICATIONS}, {before: RELATIONS}, {before: SIGNS, least: 16}]; // em; glyphs
const joins = (text) => IMPLICATIONS.test(text) || RELATIONS.test(text);

// What a line of the text holds on phones, in em: their width without the margins, and a formula's font size (mathjax.css), in px.
const PHONES = [320, 360, 390].map((width) => (width - 32 + 1) / (1.08 * 16.8));
const brief = 6.5; // em, of a left side that does not stand alone for nothing

const widths = new Map(); // in em, of what stands in the formula's row
if (kind === 'chtml') {
  const process = output.processMath.bind(output);
  output.processMath = (wrapper, node) => {
    process(wrapper, node);
    widths.clear();
    for (const child of wrapper.childNodes[0].childNodes) {
      const {L, w, R} = child.getOuterBBox();
      for (const drawn of child.dom) widths.set(drawn, (L + w + R) / child.dom.length);
    }
  };
}

function separate(node) {
  const [math] = adaptor.tags(node, 'mjx-math');
  const children = [...adaptor.childNodes(math)];
  children.forEach((child) => adaptor.remove(child));
  const boxes = divide(children, 0);
  if (boxes !== children) adaptor.setAttribute(math, 'parts', '');
  boxes.forEach((box) => adaptor.append(math, box));
}

function divide(nodes, level) {
  if (level === LEVELS.length) return nodes;
  const parts = cut(nodes, LEVELS[level]);
  if (LEVELS[level].before === RELATIONS && isAloneForNothing(...parts)) parts.splice(0, 2, [...parts[0], ...parts[1]]);
  if (parts.filter(Array.isArray).length < 2) return divide(nodes, level + 1);
  return parts.map((each) => (Array.isArray(each) ? adaptor.node('mjx-part', {}, divide(each, level + 1)) : each));
}

// Whether a short left side would stand alone on its line though on no phone this makes what follows it fit the next.
function isAloneForNothing(left, right) {
  if (!right || length(left) > brief || cut(left, {before: SIGNS}).length > 1) return false;
  const next = length(cut(right, LEVELS.at(-1))[0]);
  return length(left) + length(right) > PHONES[0] && !PHONES.some((line) => next <= line && line < length(left) + next);
}

// The nodes of each part, and what stands between two at \quad.
function cut(nodes, {gap = Infinity, before, least = 0}) {
  const parts = [];
  let part = []; // the one under way
  let blanks = []; // in front of it
  const close = () => {
    if (!part.length) return parts.at(-1)?.push(...blanks); // at the row's end
    const space = blanks.reduce((sum, blank) => sum + widthOf(blank), 0);
    if (space) parts.push(adaptor.node('mjx-gap', {style: `word-spacing: ${space - 1}em`}, [adaptor.text(' ')]));
    parts.push(part);
    [part, blanks] = [[], []];
  };
  const open = []; // delimiters
  for (const [index, node] of nodes.entries()) {
    const text = operator(node);
    const isBar = /^[|‖]$/.test(text); // opens or closes
    if (/^[)\]}⟩⌋⌉]$/.test(text)) while (/^[|‖]$/.test(open.pop()));
    if (isBar && open.at(-1) === text) open.pop();
    else if (isBar || /^[([{⟨⌊⌈]$/.test(text)) open.push(text);
    const isAfterArrow = part.length === 1 && joins(operator(part[0])); // \quad\Rightarrow\quad breaks once
    if (widthOf(node) >= gap && (part.length || parts.length) && !open.length && !isAfterArrow) {
      if (part.length) close();
      blanks.push(node);
      continue;
    }
    const previous = index ? operator(nodes[index - 1]) : '';
    const isUnary = text !== '' && (joins(previous) || /^[,;]$/.test(previous)) && SIGNS.test(text);
    if (before?.test(text) && !isUnary && !open.length && part.length && count(nodes) >= least) close();
    part.push(node);
  }
  close();
  return parts;
}

// An operator, also a large one, and one with a power: the parenthesis of (1 − p)².
function operator(node) {
  let base = node;
  while (base && /^mjx-(msup|msub|msubsup|TeXAtom)$/.test(adaptor.kind(base))) base = adaptor.firstChild(base);
  return base && adaptor.kind(base) === 'mjx-mo' ? adaptor.textContent(base).trim() : '';
}

const widthOf = (node) => (adaptor.kind(node) === 'mjx-mspace' ? parseFloat(adaptor.getStyle(node, 'width')) : 0); // of a blank, in em
const length = (nodes) => nodes.reduce((sum, node) => sum + (widths.get(node) ?? 0), 0);
const count = (nodes) => nodes.reduce((glyphs, node) => glyphs + adaptor.outerHTML(node).split('<mjx-c ').length - 1, 0);

async function typeset([tex, display]) {
  try {
    if (kind === 'svg') {
      const metrics = {display, em: 16, ex: 8, containerWidth: 8 * width};
      unbroken = true;
      let node = await tex2svgPromise(tex, metrics);
      if (!display && widest(node) > limit) {
        unbroken = false;
        node = await tex2svgPromise(tex, metrics);
      }
      draw(node);
      clean(node);
      if (!display) markGaps(node);
      return {html: adaptor.innerHTML(node).replace(/\bMJX-\d+-/g, 'MJX-')}; // the number counts formulas
    }
    const broken = (depth) => {
      deepest = depth;
      return tex2chtmlPromise(tex, {display});
    };
    let node = await broken(0);
    if (!display) {
      if (parts(node).length > 1 && parts(node).reduce((all, glyphs) => all + glyphs) <= short) node = await broken(-1);
      for (let depth = 1; depth < 3 && Math.max(...parts(node)) > fits; depth += 1) node = await broken(depth);
      joinBlanks(node);
    }
    if (display) separate(node);
    clean(node);
    const source = tex.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
    return {html: adaptor.outerHTML(node).replace('<mjx-container', () => `<mjx-container data-tex="${source}"`)};
  } catch (error) {
    return {error: error.message};
  }
}

// The rules of every kind of element, so that the general part of the style sheet is always the same.
if (kind === 'chtml') for (const kind of output.factory.getKinds()) output.wrapperUsage.add(kind);

if (kind === 'svg') {
  // Displayed formulas keep MathJax's rule, which there is also TeX's: to break before an operator.
  document.inputJax[0].postFilters.add(({math, data}) => {
    root = data.root;
    if (!math.display) markBreaks(root.childNodes[0]);
  }, 100);
}

if (kind === 'chtml') {
  document.inputJax[0].postFilters.add(({math, data}) => {
    if (!math.display) forbidBreaks(data.root.childNodes[0]);
  }, 100);
}

const results = [];
for (const formula of formulas) results.push(await typeset(formula));

const rules = kind === 'svg' ? [] : adaptor.cssText(chtmlStylesheet()).split(/\n\n+/).filter((rule) => rule.trim());
const styles = Object.fromEntries(rules.map((rule) => [rule.slice(0, rule.indexOf('{')).trim(), rule.trim()]));
process.stdout.write(JSON.stringify({formulas: results, styles}));
