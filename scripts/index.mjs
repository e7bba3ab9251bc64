// Writes the search index: JSON {units, synonyms} on standard input, JSON {file name: text} on standard output.
//
// A unit is {kind, title, where, url, excerpt, fields: {title, id, words, heads, chapter, answer, body}}; kinds stand in the order
// answer, page, notebook. handbook/search.py makes the units, docs/assets/js/search-engine.js cuts them into terms.
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"

createRequire(import.meta.url)("../docs/assets/js/search-engine.js")
const { items, joined, stem, reversed } = globalThis.handbookEngine

// BM25F: each field's weight, and how much a long one is discounted.
const FIELDS = { title: [8, 0.3], id: [9, 0.6], words: [5.5, 0.2], heads: [2.7, 0.3], chapter: [1.7, 0], answer: [3, 0.15], body: [1, 0.45] }
const SATURATION = 6
const SATURATION_RARE = 0.05 // exponent of the share of the questions that have the word
const RARITY = 0.85 // exponent of the inverse document frequency
const KINDS = { answer: 1, page: 0.4, notebook: 0.8 }
const PART = 12_000 // characters of a part of the index: what one more word of a query costs
const WORD = 0.5 // of a long name, where a text has the short one: FSDP is little about data
const MOST = { answer: 400, page: 40, notebook: 40 } // units kept for a term, the best: so no term outgrows its part
const UNITS = 4 // units whose titles and excerpts are fetched together
const ROOT = 256 // names of parts that the directory holds of a list; a longer list is a tree ...
const BLOCK = 16 // ... of blocks of so many names, of which a query reads one for each word

const { units, synonyms } = JSON.parse(readFileSync(0, "utf-8"))

// ---- terms of each unit's fields -------------------------------------------------------------

// Names of one thing: where a text has one of them, it is found by the others.
const key = (name) => {
  const words = items(name).flatMap((item) => item.words)
  return stem(words.join(""))
}
const others = new Map() // key: {term of another name: its weight}
const abbreviation = (name) => /^[A-Z][A-Za-z]{1,5}$/.test(name)
// RF is random forest and receptive field: both are found by it, but a text that has only RF by neither.
const isAmbiguous = (name) => abbreviation(name) && synonyms.filter((group) => group.includes(name)).length > 1
for (const group of synonyms)
  for (const own of group) {
    if (isAmbiguous(own)) continue
    const found = others.get(key(own)) ?? new Map()
    for (const other of group.filter((name) => name !== own)) {
      found.set(key(other), 1)
      // Where NMS stands, non-maximum suppression is meant, each word of it.
      if (abbreviation(own)) for (const item of items(other)) for (const term of item.terms) if (!found.has(term)) found.set(term, WORD)
    }
    others.set(key(own), found)
  }

// Most neighbors are no name: their first four letters tell, without a look at the rest.
const begins = new Set([...others.keys()].map((name) => name.slice(0, 4)))
const maybe = (name) => begins.has(name.slice(0, 4))

// Words of a title or a phrase with one between them: vanishing gradients in "vanishing and exploding gradients".
function apart(row) {
  const words = row.filter((item) => !item.cjk).map((item) => item.words.join(""))
  return words.slice(2).map((word, i) => stem(words[i] + word))
}

function terms(text, field) {
  const counts = new Map()
  const add = (term, by = 1) => counts.set(term, (counts.get(term) ?? 0) + by)
  const row = items(text)
  for (const item of row) for (const term of item.terms) add(term)
  const joins = new Map()
  for (const term of joined(row, 4, maybe)) joins.set(term, (joins.get(term) ?? 0) + 1)
  if (["title", "id", "words", "heads"].includes(field))
    for (const phrase of field === "words" ? text.split(", ").map(items) : [row]) {
      for (const term of joined(phrase, 2)) if (!counts.has(term)) add(term)
      if (field === "title" || field === "words") for (const term of apart(phrase)) if (!counts.has(term)) add(term, 0.5)
    }
  for (const [term, count] of new Map([...joins, ...counts]))
    for (const [other, weight] of others.get(term) ?? []) if (!counts.has(other)) add(other, weight * count)
  for (const [term, count] of joins) if (others.has(term) && !counts.has(term)) add(term, count)
  return counts
}

const prepared = units.map((unit) => Object.fromEntries(Object.keys(FIELDS).map((field) => [field, terms(unit.fields[field] ?? "", field)])))
const size = (counts) => [...counts.values()].reduce((sum, n) => sum + n, 0)
const mean = Object.fromEntries(
  Object.keys(FIELDS).map((field) => [field, prepared.reduce((sum, fields) => sum + size(fields[field]), 0) / units.length || 1]),
)

// ---- weights ---------------------------------------------------------------------------------

const postings = new Map() // term: [[unit, weight before idf], ...]
prepared.forEach((fields, id) => {
  const weights = new Map()
  for (const [field, [boost, discount]] of Object.entries(FIELDS)) {
    const length = 1 - discount + (discount * size(fields[field])) / mean[field]
    for (const [term, count] of fields[field]) weights.set(term, (weights.get(term) ?? 0) + (boost * count) / length)
  }
  for (const [term, weight] of weights) {
    if (!postings.has(term)) postings.set(term, [])
    postings.get(term).push([id, weight])
  }
})
const answers = units.filter((unit) => unit.kind === "answer").length

const entries = {}
for (const [term, rows] of [...postings].sort(([a], [b]) => (a < b ? -1 : 1))) {
  const among = rows.filter(([id]) => id < answers).length
  const idf = Math.log(1 + (answers + 0.5) / (among + 0.5))
  const saturation = SATURATION * ((among + 1) / (answers + 1)) ** SATURATION_RARE
  for (const row of rows) row[1] = (KINDS[units[row[0]].kind] * row[1]) / (saturation + row[1])
  const kept = Object.entries(MOST).flatMap(([kind, most]) =>
    rows.filter(([id]) => units[id].kind === kind).sort((a, b) => b[1] - a[1]).slice(0, most),
  )
  let last = 0
  entries[term] = kept
    .sort((a, b) => a[0] - b[0])
    .flatMap(([id, weight]) => {
      const step = id - last
      last = id
      return [step, Math.max(1, Math.round(weight * idf ** RARITY * 100))]
    })
}

// ---- parts -----------------------------------------------------------------------------------

const files = {}
const hash = (text) => createHash("sha256").update(text).digest("hex").slice(0, 8)

function write(name, text) {
  files[`${name}.js`] = `handbookSearch.part("${name}",${text})\n`
}

// Writes a part; returns the hash of its content, by which it is named.
function part(kind, value) {
  const text = JSON.stringify(value)
  write(`${kind}-${hash(text)}`, text)
  return hash(text)
}

// What tells a part from the one before it: as many letters of its first key as the last key there does not share.
function least(before, first) {
  let same = 0
  while (same < before.length && before[same] === first[same]) same++
  return first.slice(0, same + 1)
}

// A sorted list cut where a part is full: where each begins, and its name.
function cut(kind, list) {
  const node = { firsts: [], names: [] }
  let open = {}
  let length = 0
  let last = ""
  const close = () => length && node.names.push(part(kind, open))
  for (const [name, value] of list) {
    const cost = name.length + JSON.stringify(value).length + 4
    if (length && length + cost > PART) {
      close()
      open = {}
      length = 0
    }
    if (!length) node.firsts.push(least(last, name))
    open[name] = value
    length += cost
    last = name
  }
  close()
  return tree(node)
}

// A node as the directory holds it: of a long list it names blocks, so that what a query fetches of it stays small.
function tree(node) {
  if (node.names.length <= ROOT) return node
  const above = { firsts: [], names: [], blocks: true }
  for (let from = 0; from < node.names.length; from += BLOCK) {
    const [firsts, names] = [node.firsts, node.names].map((row) => row.slice(from, from + BLOCK))
    above.firsts.push(firsts[0])
    above.names.push(part("blocks", { ...node, firsts, names }))
  }
  return tree(above)
}

const words = new Set()
for (const unit of units)
  for (const field of Object.keys(FIELDS))
    for (const item of items(unit.fields[field] ?? ""))
      if (!item.cjk) for (const word of item.words) if (/^[a-z][a-z\d]{3,}$/.test(word)) words.add(word)
for (const group of synonyms) for (const item of group.flatMap(items)) for (const word of item.words) if (word.length > 3) words.add(word)

const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0)
const sorted = Object.keys(entries).sort(order)
const shown = units.map(({ title, where, url, excerpt }) => [title, where, url, excerpt])
const directory = {
  answers,
  notebooks: units.filter((unit) => unit.kind !== "notebook").length,
  terms: cut("terms", sorted.map((term) => [term, entries[term]])),
  words: cut("words", [...words].sort(order).map((word) => [word, 0])),
  endings: cut("endings", [...words].map(reversed).sort(order).map((word) => [word, 0])),
  units: { each: UNITS, edition: hash(JSON.stringify(shown)) },
}
for (let first = 0; first < shown.length; first += UNITS)
  write(`units-${directory.units.edition}-${first / UNITS}`, JSON.stringify(shown.slice(first, first + UNITS)))
files["directory.js"] = `handbookSearch.open(${JSON.stringify(directory)})\n`
process.stdout.write(JSON.stringify(files))
