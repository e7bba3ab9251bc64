// Search without a server: words, ranking and the reading of the index. No page is touched here.
//
// The same file cuts text into terms for the index (scripts/index.mjs, in Node) and for a query (in the browser),
// so the two cannot disagree. The index is many small scripts, not JSON, because a page on a disk (file://) may load
// scripts but fetch nothing; a query loads only those that hold its words. docs/decisions/0005-search-and-offline.md.
(function (root) {
  "use strict"

  // ---- words ---------------------------------------------------------------------------------

  const STOP = new Set(
    ("a about all also an and any are as at be been being but by call called calls can could did do does each explain for from get gets getting had " +
    "has have how i if in into is it its itself just know let me meaning my need no not of on or our over per please really should so such tell " +
    "than that the their them then there these they this those to too under up us use used using understand understanding very vs versus want was we were " +
    "what when where which while who why will with work works would you your").split(" "),
  )
  STOP.delete("all") // all-reduce, all-gather
  const GREEK = {
    α: "alpha", β: "beta", γ: "gamma", δ: "delta", ε: "epsilon", η: "eta", θ: "theta", κ: "kappa", λ: "lambda", μ: "mu",
    ν: "nu", π: "pi", ρ: "rho", σ: "sigma", τ: "tau", φ: "phi", χ: "chi", ψ: "psi", ω: "omega",
  }
  const CJK = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u
  const RUN = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]+|[\p{L}\p{N}]+(?:(?:::|->|[_.:\-'])[\p{L}\p{N}]+)*/gu

  // American spelling, no accents, Greek letters by name, 3×3 and "3 by 3" as 3x3.
  const plain = (text) =>
    text
      .normalize("NFKD")
      .replace(/\p{M}/gu, "")
      .replace(/\b(?:ca|could|did|do|does|had|has|have|is|are|should|was|were|wo|would)n['’]t\b/gi, " ")
      .replace(/([\p{L}\p{N}-]+)\+\+/gu, "$1 $1plusplus") // ZeRO++ is ZeRO and more
      .replace(/[Α-ω]/g, (letter) => ` ${GREEK[letter.toLowerCase()] ?? ""} `)
      .replace(/(\d) ?(?:[x×]|by) ?(?=\d)/g, "$1x")

  // A light stemmer: what joins "quantise", "quantized" and "quantization", "tile" and "tiling", "copies" and "copy",
  // "imbalance" and "imbalanced", "compress" and "compression".
  function stem(word) {
    if (!/^[a-z]{4,}$/.test(word) || word === "mape") return word // the metric MAPE is no map
    let w = word
    if (w.endsWith("ies")) w = w.slice(0, -3) + "y"
    else if (w.endsWith("s") && !/(?:ss|us|is)$/.test(w)) w = w.slice(0, -1)
    if (w.length > 6) w = w.replace(/(?<!p)ly$/, "") // randomly, but no multiply
    const rules = [
      [/i[sz](?:ation|er|ing|ed|e|able)$/, "iz", 3],
      [/(?:ation|ator|ating|ated|ate|ative)$/, "at", 3],
      [/uct(?:ion|ed|ing)$/, "uc", 2],
      [/u(?:cing|ced|ce)$/, "uc", 3],
      [/e?ment$/, "", 5],
      [/(?:en(?:t|ce|ced|cing|cy)|anc(?:e|ed|ing))$/, "", 5],
      [/(?<=[st])ion(?:al|ed|ing|)$/, "", 3],
      [/ical$/, "ic", 3],
      [/ity$/, "", 4],
      [/(?:ing|ed)$/, "", 3],
    ]
    for (const [ending, put, least] of rules) {
      const match = w.match(ending)
      if (!match || match.index < least || (put === "" && !/[aeiouy]/.test(w.slice(0, match.index)))) continue
      if (/^(?:speed|need|feed|seed|embed)$/.test(w)) break
      w = w.slice(0, match.index) + put
      if (put === "" && /([bdfgmnprt])\1$/.test(w)) w = w.slice(0, -1) // padding, pad
      if (put === "") w = w.replace(/(label|model|cancel|signal|channel)l$/, "$1") // labelled
      break
    }
    if (w.length > 7) w = w.replace(/iz$/, "") // parallelize, parallel
    if (w.length > 3 && w.endsWith("e")) w = w.slice(0, -1)
    if (w.length > 4) w = w.replace(/our$/, "or") // colour
    return w
  }

  // Text as a row of items {words, terms, last, cjk}: `words` as written in lower case, `terms` what the index knows.
  // A compound (all-reduce, torch.compile, cudaMemcpyAsync, ZeRO-3) is one item of several words: it is known by
  // its parts and by them joined. `last` are the terms of a dotted name's last part (lr_scheduler.StepLR): it says the most.
  function items(text) {
    const found = []
    for (const [run] of plain(text).matchAll(RUN)) {
      if (!known.has(run)) known.set(run, read(run))
      found.push(...known.get(run))
    }
    return found
  }

  const known = new Map() // the items of a run of letters, read once

  function read(run) {
    if (CJK.test(run)) {
      const letters = [...run]
      const pairs = letters.slice(1).map((letter, i) => letters[i] + letter)
      return (pairs.length ? pairs : letters).map((pair) => ({ words: [pair], terms: [pair], cjk: true }))
    }
    const parts = run.split(/(?:::|->|[_.:\-'])/).map((part) => (/^[A-Z\d]{2,}s$/.test(part) ? part.slice(0, -1) : part))
    if (parts.length > 1 && parts.at(-1) === "s") parts.pop() // Little's
    if (parts.every((part) => /^\d+$/.test(part))) {
      if (parts.length === 1) return parts[0].length < 6 ? [{ words: parts, terms: parts }] : []
      return run.includes(":") ? [{ words: [run], terms: [run] }] : [] // 2:4, but no decimals
    }
    const words = parts.map((part) => part.toLowerCase())
    const terms = new Set(words.filter((word) => !STOP.has(word)).map(stem))
    if (words.length > 1) terms.add(stem(words.join("")))
    for (const part of parts) for (const term of inside(part)) terms.add(term)
    if (!terms.size) return []
    const item = { words: words.filter((word) => !STOP.has(word)), terms: [...terms] }
    if (/(?:\.|::)[\p{L}\p{N}_]+$/u.test(run)) {
      const name = run.split(/\.|::/).at(-1).split("_")
      item.last = new Set([...name.map((part) => stem(part.toLowerCase())), stem(name.join("").toLowerCase()), ...name.flatMap(inside)])
    }
    return [item]
  }

  // The words inside a name: cosine, annealing of CosineAnnealingLR.
  function inside(part) {
    return [...part.matchAll(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])/g)]
      .filter(([inner]) => inner.length > 2 && inner.length < part.length && !STOP.has(inner.toLowerCase()))
      .map(([inner]) => stem(inner.toLowerCase()))
  }

  // Neighbors joined, so that "batch norm", "batch-norm" and "batchnorm" are one: every row of 2 to `most` words
  // that `worth` does not refuse.
  function joined(row, most = 4, worth = () => true) {
    const words = row.filter((item) => !item.cjk).flatMap((item) => item.words)
    const found = []
    for (let i = 0; i < words.length; i++) {
      let name = words[i]
      for (let n = 2; n <= most && i + n <= words.length; n++) if (worth((name += words[i + n - 1]))) found.push(stem(name))
    }
    return found
  }

  // ---- reading the index ---------------------------------------------------------------------

  // Where in a sorted list of first keys a key's part is; -1 where it is before the first.
  function place(firsts, key) {
    let low = 0
    let high = firsts.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (firsts[middle] <= key) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  const reversed = (word) => [...word].reverse().join("")

  // One typing error: a letter too many, too few, wrong, or two of them exchanged.
  function near(a, b) {
    if (a === b || Math.abs(a.length - b.length) > 1) return a === b
    let i = 0
    while (i < a.length && i < b.length && a[i] === b[i]) i++
    const [x, y] = [a.slice(i), b.slice(i)]
    return (
      x.slice(1) === y.slice(1) || x.slice(1) === y || x === y.slice(1) ||
      (x[0] === y[1] && x[1] === y[0] && x.slice(2) === y.slice(2))
    )
  }

  // `directory` names the parts of the index (scripts/index.mjs writes it); `load(name)` promises a part.
  class Index {
    constructor(directory, load) {
      this.directory = directory
      this.loaded = new Map()
      this.load = (name) => {
        if (!this.loaded.has(name)) {
          const part = load(name)
          this.loaded.set(name, part)
          part.catch(() => this.loaded.delete(name)) // tried again at the next query
        }
        return this.loaded.get(name)
      }
    }

    // The parts of a list from the one where `key` stands or would stand: that one, and up to `most` while they begin
    // with `key`. A long list is a tree: its directory names blocks, which name the parts.
    async parts(kind, key, most = 1, node = this.directory[kind]) {
      const start = Math.max(0, place(node.firsts, key))
      let end = start + 1
      while (end < node.names.length && end < start + most && node.firsts[end].startsWith(key)) end++
      const found = node.names.slice(start, end).map((name) => this.load(`${node.blocks ? "blocks" : kind}-${name}`))
      if (!node.blocks) return Promise.all(found)
      const below = await Promise.all(found.map(async (block) => this.parts(kind, key, most, await block)))
      return below.flat().slice(0, most)
    }

    // The entries of a list whose keys begin with `prefix`, as [key, value]; at most `most` parts are read: they can
    // begin in the part after the one where the prefix itself would stand.
    async range(kind, prefix, most = 3) {
      const parts = await this.parts(kind, prefix, most)
      return parts.flatMap((part) => Object.entries(part).filter(([key]) => key.startsWith(prefix)))
    }

    async postings(term) {
      const [part] = await this.parts("terms", term)
      return part && Object.hasOwn(part, term) ? part[term] : null
    }

    // Words of the book that are one typing error away. One error leaves the first or the last half of a word
    // whole, so the words that begin or that end like it are enough.
    async corrections(word) {
      if (word.length < 4 || !/^[a-z\d]+$/.test(word)) return []
      const half = (word.length - 1) >> 1
      const [begin, end] = await Promise.all([
        this.range("words", word.slice(0, half)),
        this.range("endings", reversed(word).slice(0, half)),
      ])
      const all = new Set([...begin.map(([key]) => key), ...end.map(([key]) => reversed(key))])
      return [...all].filter((other) => near(word, other))
    }

    // What the list shows of units: they stand in parts of equal length, which are named by their number.
    async units(ids) {
      const { each, edition } = this.directory.units
      return Promise.all(ids.map(async (id) => (await this.load(`units-${edition}-${Math.floor(id / each)}`))[id % each]))
    }
  }

  // Postings are flat: unit (as the difference to the one before), weight, unit, weight ...
  function* each(postings) {
    for (let i = 0, unit = 0; i < postings.length; i += 2) yield [(unit += postings[i]), postings[i + 1]]
  }

  // ---- ranking -------------------------------------------------------------------------------

  const TUNING = { prefix: 0.75, completed: 0.45, corrected: 0.9, joined: 0.8, parts: 0.2, path: 0.4, named: 1.5, context: 0.35, missing: 0.55 }

  // Words that say of what field a question is, and little of the question, where others stand beside them.
  const CONTEXT = new Set("cuda keras neural network nvidia python pytorch sklearn sqrt tensorflow".split(" "))

  // What a query's word can mean: {groups: [[[term, weight], ...], ...], mended: [the items it may be a misspelling of],
  // isGuess: nothing but a misspelling}.
  // It is one group of terms, of which a unit needs one, but a name that the book does not know is one for each part.
  async function meanings(index, item, typing) {
    const found = new Map()
    const add = (term, weight) => found.set(term, Math.max(weight, found.get(term) ?? 0))
    const whole = item.words.join("")
    const name = item.cjk ? whole : stem(whole) // what a compound is known by; its parts say less
    const completions = () => (whole.length > (item.cjk ? 0 : 2) ? index.range("terms", whole, 2) : [])
    const [early, ...has] = await Promise.all([
      typing ? completions() : null,
      ...[name, ...item.terms].map(async (term) => (await index.postings(term)) !== null),
    ])
    const [named] = has
    const known = has.some(Boolean)
    const [completed, repairs] = await Promise.all([
      early ?? (known ? [] : completions()),
      item.cjk || named ? [] : repaired(index, item.words),
    ])
    const mended = known || !completed.length ? repairs : [] // the beginning of a word is no misspelling
    for (const term of item.terms) {
      if (term === name) add(term, named && item.words.length > 1 ? TUNING.named : 1)
      else add(term, named ? TUNING.parts : item.last && !item.last.has(term) ? TUNING.path : 1)
    }
    const factor = known ? TUNING.completed : TUNING.prefix // a word that is known is mostly complete
    if (!(item.cjk && known)) for (const [term] of completed) add(term, factor * (item.cjk ? 1 : Math.sqrt(whole.length / term.length)))
    for (const other of mended) for (const term of other.terms) if (!item.terms.includes(term)) add(term, TUNING.corrected)
    const parts = item.terms.filter((term, i) => has[i + 1])
    const isGuess = mended.length > 0 && !known
    if (named || mended.length || parts.length < 2) return { groups: [[...found]], mended, isGuess }
    const path = parts.filter((term) => item.last && !item.last.has(term))
    const own = parts.filter((term) => !path.includes(term))
    return { groups: [...own, ...(own.length ? [] : path)].map((term) => [[term, found.get(term)]]), mended, isGuess }
  }

  // The names of the book that a word or a compound is when one typing error is mended (k-maens: k-means).
  async function repaired(index, words) {
    const found = []
    const whole = words.join("")
    if (!(await Promise.all(words.map((word) => index.postings(stem(word))))).some(Boolean))
      found.push(...(await index.corrections(whole)).flatMap(items))
    if (words.length > 1)
      for (const [i, word] of words.entries())
        if ((await index.postings(stem(word))) === null)
          for (const other of await index.corrections(word)) found.push(...items(words.map((own, n) => (n === i ? other : own)).join("-")))
    return found
  }

  // Signs that a reader types, by the words that answers have for them.
  const SIGNS = { "∂": "derivative", "∇": "gradient", "∑": "sum", "∏": "product", "√": "sqrt", "∞": "infinity", "<<<": "kernel launch", " @ ": "matrix multiplication" }
  const signs = new RegExp(Object.keys(SIGNS).join("|"), "g")

  // The units that a query is about, best first: {ranked: [{id, score}], questions and pages before notebooks; marks: the
  // terms that were sought; isEmpty: the query has no word that is sought; isUnfinished: its last word may be the half of
  // any word, or of a common one; isGuessed: all are taken for misspellings}.
  async function rank(query, index) {
    query = ` ${query} `.replace(signs, (sign) => ` ${SIGNS[sign]} `).slice(1, -1)
    const all = items(query.replace(/\b(?:machine|deep) learning\b/gi, " "))
    const row = all.length ? all : items(query)
    const typing = /[\p{L}\p{N}]$/u.test(query)
    const last = query.match(/[\p{Script=Latin}\p{N}]*$/u)[0].toLowerCase()
    const joins = new Set(joined(row))
    const [meant] = await Promise.all([
      Promise.all(row.map((item, i) => meanings(index, item, typing && i === row.length - 1))),
      Promise.all([...joins].map((term) => index.postings(term))), // used below: asked for now, one wait less
    ])
    const aside = row.map((item) => item.words.every((word) => CONTEXT.has(word.replace(/s$/, ""))))
    const factor = (i) => (aside[i] && !aside.every(Boolean) ? TUNING.context : 1)
    const words = meant.flatMap(({ groups }, i) => groups.map((group) => group.map(([term, weight]) => [term, weight * factor(i)])))
    const shares = meant.flatMap(({ groups }, i) => groups.map(() => factor(i) / groups.length)) // of the query, in its words
    for (const n of [0, 1, 2]) // flash atention: flashattention
      if (meant.some(({ mended }) => mended[n])) for (const term of joined(row.map((item, i) => meant[i].mended[n] ?? item))) joins.add(term)
    const alone = new Set(row.flatMap((item) => item.terms))
    const groups = [...words, ...[...joins].filter((term) => !alone.has(term)).map((term) => [[term, TUNING.joined]])]
    const { answers, notebooks } = index.directory
    const scores = new Map() // unit: [score, rarity of the words found]
    let total = 0
    const read = (group) => Promise.all(group.map(async ([term, weight]) => [await index.postings(term), weight]))
    for (const [number, rows] of (await Promise.all(groups.map(read))).entries()) {
      const best = new Map()
      for (const [postings, weight] of rows)
        for (const [unit, value] of each(postings ?? [])) best.set(unit, Math.max(best.get(unit) ?? 0, weight * value))
      // A unit that lacks a rare word of the query is worse off than one that lacks a common one.
      const rarity = number < words.length ? shares[number] * Math.log(1 + (answers + 0.5) / (best.size + 0.5)) : 0
      if (best.size) total += rarity
      for (const [unit, value] of best) {
        const [score, found] = scores.get(unit) ?? [0, 0]
        scores.set(unit, [score + value, found + rarity])
      }
    }
    const ranked = [...scores].map(([id, [score, found]]) => ({
      id,
      kind: id < answers ? "answer" : id < notebooks ? "page" : "notebook",
      score: score * (1 - TUNING.missing * (1 - (total ? found / total : 1))),
    }))
    const marks = [...new Set(groups.flatMap((group) => group.map(([term]) => term)))]
    const tier = (unit) => (unit.kind === "notebook" ? 1 : 0)
    return {
      ranked: ranked.sort((a, b) => tier(a) - tier(b) || b.score - a.score || a.id - b.id),
      marks,
      isEmpty: !row.length,
      isUnfinished: last.length > 0 && (last.length < 3 || [...STOP].some((word) => word.startsWith(last))),
      // A letter is found somewhere in any book: it says nothing.
      isGuessed: meant.some(({ isGuess }) => isGuess) && meant.every(({ isGuess }, i) => isGuess || row[i].words.join("").length < 2),
    }
  }

  // At most `most` answers and pages and a few notebooks, with what a list shows of them; and what `rank` tells of the query.
  async function search(query, index, most = 10, notebooks = 3) {
    const { ranked, ...rest } = await rank(query, index)
    const least = 0.15 * Math.max(0, ...ranked.map((unit) => unit.score))
    const worth = ranked.filter((unit) => unit.score >= least)
    const shown = [
      ...worth.filter((unit) => unit.kind !== "notebook").slice(0, most),
      ...worth.filter((unit) => unit.kind === "notebook").slice(0, notebooks),
    ]
    const units = await index.units(shown.map((unit) => unit.id))
    const results = units.map(([title, where, url, excerpt], i) => ({ ...shown[i], title, where, url, excerpt }))
    return { results, ...rest }
  }

  root.handbookEngine = { items, joined, stem, near, reversed, Index, rank, search, TUNING, STOP }
})(globalThis)
