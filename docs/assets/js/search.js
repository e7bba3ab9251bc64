// The search box: what it shows, and how keys move in it. Words and ranking are in search-engine.js, which is loaded
// when the box is first used, with the index's directory. Works on file:// too: everything comes as scripts.
(() => {
  "use strict"
  const box = document.querySelector("[data-search]")
  const { base: root } = JSON.parse(document.getElementById("__config").textContent) // of the 404 page it ends in a slash
  const base = new URL(root.replace(/\/*$/, "/"), location.href)
  const toggle = document.getElementById("__search")
  const input = box.querySelector("input")
  const status = box.querySelector("[role='status']")
  const list = box.querySelector("[role='listbox']")
  const HINT = "A question, a name, a piece of code"
  const PAUSE = 600 // milliseconds after the last letter; until then nothing is said, and no list gives way to none

  // ---- loading -------------------------------------------------------------------------------

  const waiting = new Map() // part of the index: who waits for it
  let opened
  window.handbookSearch = {
    open: (directory) => opened(directory),
    part: (name, value) => waiting.get(name)?.(value),
  }

  // A line can hang without ever failing, as on a train. A script cannot be called back, and asked for once more by the same
  // address the browser would wait for the first: so the next time it has another.
  const hanging = new Set()
  const script = (path) =>
    new Promise((resolve, reject) => {
      const element = document.createElement("script")
      element.src = new URL(path, base)
      if (hanging.has(path)) element.src += `?${Date.now()}`
      element.onload = () => resolve(hanging.delete(path), element.remove())
      element.onerror = () => reject(new Error(element.remove() ?? path))
      setTimeout(() => element.isConnected && element.onerror(hanging.add(path)), 10_000)
      document.body.append(element)
    })
  const part = (name) =>
    new Promise((resolve, reject) => {
      waiting.set(name, resolve)
      script(`search/${name}.js`).catch(reject)
    })
  const open = (fresh) =>
    new Promise((resolve, reject) => {
      opened = resolve
      script(`search/directory.js${fresh}`).catch(reject)
    })

  let engine // a promise of it; asked again where it failed
  const start = (fresh = "") => {
    engine ??= Promise.all([(!fresh && window.handbookEngine) || script(`assets/js/search-engine.js${fresh}`), open(fresh)]).then(
      ([, directory]) => new handbookEngine.Index(directory, part),
    )
    engine.catch(() => (engine = undefined))
    return engine
  }

  // What the page, or the service worker, has of the index may be of an edition whose parts have left the server. Then
  // engine and directory are read anew, past both: that is what the query is for.
  async function find(query) {
    const used = start()
    try {
      const index = await used
      return await handbookEngine.search(query, index)
    } catch (error) {
      if (!(await isReached())) throw Object.assign(error, { isOffline: true })
      if (engine === used) engine = undefined
      const index = await start(`?${Date.now()}`)
      return handbookEngine.search(query, index)
    }
  }
  // The service worker leaves HEAD alone.
  const isReached = () => fetch(base, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout?.(5000) }).then(() => true, () => false)

  // ---- results -------------------------------------------------------------------------------

  const element = (name, attributes, ...children) => {
    const made = document.createElement(name)
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
    made.append(...children)
    return made
  }

  const isMarked = (word, marks) => handbookEngine.items(word).some((item) => item.terms.some((term) => marks.has(term)))

  const WORD = /([\p{L}\p{N}_](?:[^\s(),;"“”]*[\p{L}\p{N}_])?)/u

  // A text with the words that were found marked; from `most` letters on only the part around the first of them.
  function marked(text, marks, most = Infinity) {
    const pieces = text.split(WORD)
    const hits = pieces.map((piece, i) => i % 2 === 1 && isMarked(piece, marks))
    let from = 0
    let length = 0
    if (text.length > most) {
      const first = Math.max(0, hits.indexOf(true))
      for (from = first; from > 0 && length < most / 3; from--) length += pieces[from].length
      from -= from % 2 ? 0 : 1 // begins with a word
      if (from < 12) from = 0
    }
    const shown = []
    if (from) shown.push("… ")
    length = 0
    for (let i = from; i < pieces.length && length < most; i++) {
      shown.push(hits[i] ? element("mark", {}, pieces[i]) : pieces[i])
      length += pieces[i].length
      if (length >= most && i < pieces.length - 1) shown.push(" …")
    }
    return shown
  }

  function option(result, number, marks) {
    const where = result.kind === "notebook" && result.where !== result.title ? `Notebook: ${result.where}` : result.kind === "notebook" ? "Notebook" : result.where
    const id = `search-${number}`
    return element(
      "a",
      { role: "option", id, "aria-describedby": `${id}-excerpt`, class: `search-option search-${result.kind}`, href: new URL(result.url, base), tabindex: "-1", "aria-selected": "false" },
      element("span", { class: "search-title" }, ...marked(result.title, marks)),
      element("span", { class: "search-where" }, where),
      // Hidden: no part of the name, which each arrow key has read. It describes the option.
      element("span", { class: "search-excerpt", id: `${id}-excerpt`, "aria-hidden": "true" }, ...marked(result.excerpt, marks, 190)),
    )
  }

  let latest = 0
  let going = Promise.resolve() // ends when the query under way does
  let entered // the query whose first result is to be opened as soon as it is there
  let words = new Set()
  async function show() {
    const query = input.value.trim() ? input.value : ""
    const turn = ++latest
    clearTimeout(pause)
    if (!query) return fill(query, []), say(HINT)
    const slow = setTimeout(() => {
      list.setAttribute("aria-busy", "true")
      paused(() => say("Searching…"))
    }, 200)
    // One after the other: of what is typed meanwhile only the newest is asked, so a slow line is not filled with the rest.
    // But not for long behind one that hangs.
    await Promise.race([going, new Promise((resolve) => setTimeout(resolve, 2000))])
    if (turn !== latest) return clearTimeout(slow)
    const asked = ask(query, turn)
    going = asked
    await asked
    clearTimeout(slow)
  }

  async function ask(query, turn) {
    try {
      const found = await find(query)
      if (turn !== latest) return
      words = new Set(found.marks)
      settle(query, found.results.map((result, number) => option(result, number, words)), told(found))
    } catch ({ isOffline }) {
      const text = isOffline ? "No network, and these words are not saved. Save the whole book to search it offline." : "The search index could not be read. A new edition may be on its way: try again in a minute."
      if (turn === latest) settle(query, [], text)
    }
  }

  function told({ results, isEmpty, isUnfinished, isGuessed }) {
    if (isEmpty) return "Common words, signs and decimals are not searched: add a word"
    if (!results.length) return isUnfinished ? HINT : "Nothing has these words"
    const count = results.filter((result) => result.kind !== "notebook").length
    const text = `${count} ${count === 1 ? "answer" : "answers"}${results.length > count ? `, and ${results.length - count} in notebooks` : ""}`
    return isGuessed ? `Nothing has these words. Words like them: ${text}` : text
  }

  // A list stands there at once. Its number is said when the reader pauses, and only then is there none: a question that is
  // being typed has common words and halves of words, of which nothing is true yet.
  function settle(query, options, text) {
    if (options.length) fill(query, options)
    paused(() => {
      if (!options.length) fill(query, options)
      say(text)
    })
  }

  let typed = -PAUSE // when the last letter was
  let pause
  function paused(act) {
    clearTimeout(pause)
    pause = setTimeout(act, typed + PAUSE - performance.now())
  }

  function say(text) {
    if (status.textContent !== text) status.textContent = text // else said again
  }

  function fill(query, options) {
    list.replaceChildren(...options)
    list.removeAttribute("aria-busy")
    list.dataset.query = query // whose list it is: for Enter, tests and measurements
    input.setAttribute("aria-expanded", String(isOpen() && options.length > 0))
    select(null)
    box.querySelector(".md-search__scrollwrap").scrollTop = 0
    if (entered === query) list.firstElementChild?.click()
  }

  let active = null
  function select(option) {
    active?.setAttribute("aria-selected", "false")
    active = option
    active?.setAttribute("aria-selected", "true")
    active?.scrollIntoView({ block: "nearest" })
    active ? input.setAttribute("aria-activedescendant", active.id) : input.removeAttribute("aria-activedescendant")
  }

  // ---- keys, pointer, and Material's switch that opens the box ---------------------------------

  const isOpen = () => toggle.checked
  const set = (wanted) => {
    if (isOpen() === wanted) return
    toggle.checked = wanted
    toggle.dispatchEvent(new Event("change", { bubbles: true }))
  }

  // On a phone Material holds the page still below the open box, and frees it 0.1 s after the box is closed: too late
  // for a link that is followed at once, since a page that is held does not scroll to its #anchor. Material stores for
  // Back where the page was at the last scroll, which the browser tells a frame later: so it is told here.
  function release() {
    const y = -parseInt(document.body.style.top, 10) || 0
    document.body.removeAttribute("data-md-scrolllock")
    document.body.style.top = ""
    window.scrollTo(0, y)
    window.dispatchEvent(new Event("scroll"))
  }

  let from // where the reader was
  input.addEventListener("focus", (event) => {
    from = event.relatedTarget
    set(true)
    start().catch(() => {})
    if (!list.childElementCount) show()
  })
  let leaving = false // by Tab: the focus goes on by itself. After a blur Safari's would begin the page anew.
  toggle.addEventListener("change", () => {
    if (isOpen()) input.focus()
    else if (!leaving) input.blur()
    if (!isOpen()) {
      entered = undefined // who has closed the box is not led away when the results come
      select(null)
    }
    input.setAttribute("aria-expanded", String(isOpen() && list.childElementCount > 0))
  })
  input.addEventListener("input", () => {
    entered = undefined
    typed = performance.now()
    show()
  })
  addEventListener("online", () => isOpen() && show())
  input.form.addEventListener("submit", (event) => event.preventDefault())
  input.form.addEventListener("reset", () => setTimeout(() => (show(), input.focus())))
  list.addEventListener("click", (event) => {
    const option = event.target.closest("a")
    if (!option) return
    remember(option)
    if (event.metaKey || event.ctrlKey) return
    set(false)
    if (document.body.hasAttribute("data-md-scrolllock")) release()
  })

  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return
    const options = [...list.children]
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step && options.length) {
      const at = options.indexOf(active) + step
      select(options[at === -2 ? options.length - 1 : at] ?? null) // past an end: back in the box
      event.preventDefault()
    } else if (event.key === "Enter") {
      event.preventDefault()
      const chosen = active ?? options[0]
      if (list.dataset.query !== input.value) entered = input.value
      else if (chosen) chosen.click()
      else show() // the search failed: once more
    } else if (event.key === "Escape" || event.key === "Tab") {
      leaving = event.key === "Tab"
      set(false)
      leaving = false
      if (event.key === "Escape") from?.focus({ preventScroll: true })
      event.stopPropagation()
    }
  })

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]")
    const asks = event.metaKey || event.ctrlKey ? event.key === "k" : event.key === "/" && !typing // no letter alone: speech types letters
    if (!asks || event.altKey) return
    event.preventDefault()
    input.focus()
    input.select()
  })

  // ---- the words on the page that a result leads to -------------------------------------------

  const KEY = "handbook.search" // survives a full load, which file:// has for every link

  function remember(option) {
    try {
      sessionStorage.setItem(KEY, JSON.stringify({ url: option.href, words: [...words] }))
    } catch {} // storage is forbidden: nothing is marked
  }

  async function highlight() {
    globalThis.CSS?.highlights?.delete("search")
    let wanted
    try {
      wanted = JSON.parse(sessionStorage.getItem(KEY))
    } catch {}
    if (wanted?.url !== location.href || !globalThis.CSS?.highlights) return
    sessionStorage.removeItem(KEY)
    if (!window.handbookEngine) await script("assets/js/search-engine.js")
    const marks = new Set(wanted.words)
    const heading = document.getElementById(decodeURIComponent(location.hash.slice(1)))
    const found = new Highlight()
    for (let part = heading; part && (part === heading || !/^H[12]$/.test(part.tagName)); part = part.nextElementSibling) {
      const texts = document.createTreeWalker(part, NodeFilter.SHOW_TEXT)
      while (texts.nextNode()) {
        if (texts.currentNode.parentElement.closest("mjx-container, svg, .question-meta, .headerlink")) continue
        for (const match of texts.currentNode.data.matchAll(new RegExp(WORD, "gu")))
          if (isMarked(match[0], marks)) {
            const range = new Range()
            range.setStart(texts.currentNode, match.index)
            range.setEnd(texts.currentNode, match.index + match[0].length)
            found.add(range)
          }
      }
    }
    CSS.highlights.set("search", found)
  }
  highlight()
  document.addEventListener("page", highlight)
  window.addEventListener("hashchange", highlight)
})()
