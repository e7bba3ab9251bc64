// Comforts: formulas are copied as TeX, wide boxes are reached by keyboard, titles are shown
// at once, Back leads to where the reader was.
// Without scripts a page reads the same.

// Copying: a selection that touches a formula takes it whole, as TeX between dollars; what serves only the page stays there.
const NOT_COPIED = ".headerlink, sup[id^='fnref'], .footnote-backref, .question-meta > .edit, .question-meta > .report, .md-code__nav"
document.addEventListener("copy", (event) => {
  const selection = getSelection()
  if (selection.isCollapsed || !event.clipboardData) return
  const range = selection.getRangeAt(0).cloneRange()
  const around = (node) => (node.closest ? node : node.parentElement).closest("mjx-container")
  const first = around(range.startContainer)
  const last = around(range.endContainer)
  if (first) range.setStartBefore(first)
  if (last) range.setEndAfter(last)
  const copy = document.createElement("div")
  copy.append(range.cloneContents())
  const formulas = copy.querySelectorAll("mjx-container[data-tex]")
  const unwanted = copy.querySelectorAll(NOT_COPIED)
  if (!formulas.length && !unwanted.length) return
  unwanted.forEach((element) => element.remove())
  // A box far from the window has no text for `innerText`.
  copy.querySelectorAll(BOXES).forEach((box) => (box.style.contentVisibility = "visible"))
  for (const formula of formulas) {
    const dollars = formula.hasAttribute("display") ? "$$" : "$"
    formula.replaceWith(dollars + formula.dataset.tex + dollars)
  }
  // `innerText` needs layout to know where lines end.
  copy.style.cssText = "position: fixed; inset: 0 auto auto 0; opacity: 0; pointer-events: none"
  document.body.append(copy)
  event.clipboardData.setData("text/plain", copy.innerText)
  copy.remove()
  event.clipboardData.setData("text/html", copy.innerHTML)
  event.preventDefault()
})

// The keyboard: what scrolls sideways is a stop only while it is wider than its box.
const SCROLLING = {
  formula: "mjx-container[display]",
  table: ".md-typeset__scrollwrap, .nb-table, .evidence-output:has(> table)",
  figure: ".nb-figure, .evidence-output:has(> svg)",
  code: ".highlight > pre",
  output: ".nb-text-output",
}
const mark = (box) => {
  const wide = box.scrollWidth > box.clientWidth + 1
  if (!wide && box === document.activeElement) return box.addEventListener("blur", () => mark(box), { once: true })
  const kind = Object.keys(SCROLLING).find((kind) => box.matches(SCROLLING[kind]))
  for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", `Wide ${kind}, scrolls sideways`]]) {
    wide ? box.setAttribute(name, value) : box.removeAttribute(name)
  }
}
// It tells of a box also when its answer comes near the window, and so is laid out for the first time. To measure all of a chapter's
// boxes beforehand costs a phone a second: until then those are stops that may be wide (scripts/handbook/pages.py, with_stops).
const watch = new ResizeObserver((boxes) => boxes.forEach(({ target }) => mark(target)))
const attend = (within) => {
  for (const box of within.querySelectorAll(Object.values(SCROLLING).join())) watch.observe(box)
}

// What a title or a note says is shown at once, and by keyboard too. One box for all of them: Material's tooltips cost a phone
// 0.3 s of its processor, for the 300 links of a chapter. What stands outside of the content keeps the browser's.
const tip = document.createElement("div")
Object.assign(tip, { id: "title-tip", popover: "manual", role: "tooltip" })
let told // the element whose title or note is shown
let going // the timer of a box that goes
const tell = (element) => {
  clearTimeout(going)
  const note = element.matches(".footnote-ref") && document.getElementById(decodeURIComponent(element.hash.slice(1)))
  if (element.matches(".claim") && !element.dataset.title) element.title = proven(element)
  if (element === told || !(note || element.title)) return
  hush()
  told = element
  tip.className = note ? "title-tip md-typeset" : "title-tip"
  if (note) {
    const { childNodes } = note.cloneNode(true)
    tip.replaceChildren(...childNodes)
    for (const back of tip.querySelectorAll(".footnote-backref")) back.remove()
  } else {
    tip.textContent = element.dataset.title = element.title
    element.removeAttribute("title") // else the browser shows it a second time
  }
  // To what has no words of its own, such as an icon, the title was the name.
  element.textContent.trim() || element.ariaLabel ? element.setAttribute("aria-describedby", tip.id) : (element.ariaLabel = element.dataset.title)
  document.querySelector("main").append(tip)
  tip.showPopover()
  place()
}
const place = () => {
  const box = told.getBoundingClientRect()
  const { offsetWidth, offsetHeight } = tip
  const below = box.bottom + 6 + offsetHeight <= innerHeight
  tip.style.top = `${below ? box.bottom + 6 : box.top - 6 - offsetHeight}px`
  tip.style.left = `${Math.max(8, Math.min(box.left + (box.width - offsetWidth) / 2, innerWidth - offsetWidth - 8))}px`
}
const hush = () => {
  clearTimeout(going)
  if (!told) return
  if (told.dataset.title) told.title = told.dataset.title
  told.removeAttribute("data-title")
  told.removeAttribute("aria-describedby")
  told = undefined
  tip.remove()
}
// Each claim saying it would be a kilobyte of a chapter, compressed.
const proven = ({ pathname, hash }) => {
  const [cell, ...keys] = decodeURIComponent(hash.slice(1)).split(".")
  return `Proven by ${pathname.replace(/.*\/(.*)\.html/, "$1.ipynb")}, cell ${[cell, ...keys].join(" › ")}`
}
const TITLED = ".md-content :is([title], [data-title], .footnote-ref, .claim)"
const titled = (target) => (tip.contains(target) ? told : target.closest?.(TITLED))
document.addEventListener("pointerover", (event) => {
  if (event.pointerType === "touch") return // a touch follows the link
  const element = titled(event.target)
  if (element) tell(element)
  else if (told && told !== document.activeElement) going = setTimeout(hush, 150) // time to come to the box, which may hold links
})
document.addEventListener("focusin", (event) => {
  const element = titled(event.target)
  element?.matches(":focus-visible") ? tell(element) : hush()
})
document.addEventListener("focusout", hush)
document.addEventListener("keydown", (event) => event.key === "Escape" && hush())
document.addEventListener("scroll", () => told && (told.matches(":hover, :focus-visible") ? place() : hush()), { passive: true })

// An answer that was not near the window is as high as estimated (handbook.css), so Back would end at another place than
// was left. The boxes of a page that is left keep their heights.
const BOXES = ".answer, .nb-cell, .footnote"
const KEPT = "handbook.heights" // survives a reload
const left = new Map() // the width, and the heights that are true for it, by the page's path
let path, article
let address = location.pathname // ahead of `path` while a page is on its way
const LANDING = "handbook.landing" // where a link led whose page could not be fetched (material.js), and so is loaded
let isLanding = false // then the place that Material has stored is one in the page before
let came // the place in the page that Back leads to, while that is on its way
let returning = ["reload", "back_forward"].includes(performance.getEntriesByType("navigation")[0]?.type)
try {
  for (const [path, heights] of JSON.parse(sessionStorage.getItem(KEPT)) ?? []) left.set(path, heights)
  isLanding = sessionStorage.getItem(LANDING) === location.href
  sessionStorage.removeItem(LANDING)
} catch {} // storage is forbidden
const keep = () => {
  // Material follows a link's #anchor by a click of its own, when the next page is there but not announced.
  if (article?.isConnected) left.set(path, [innerWidth, [...article.querySelectorAll(BOXES)].map((box) => box.offsetHeight)])
}
const restore = () => {
  path = location.pathname
  article = document.querySelector("article")
  const [width, heights] = left.get(path) ?? []
  if (returning && width === innerWidth) {
    const y = came ?? history.state?.y // where Material has it stored
    article.style.overflowAnchor = "none" // else the browser scrolls along with what changes its height
    article.querySelectorAll(BOXES).forEach((box, i) => (box.style.containIntrinsicHeight = `auto ${heights[i]}px`))
    requestAnimationFrame(() => {
      if (y !== undefined) scrollTo(0, y)
      requestAnimationFrame(() => (article.style.overflowAnchor = ""))
    })
  }
  returning = false
  came = undefined
}
document.addEventListener("click", (event) => event.target.closest?.("a[href]") && keep(), true)
addEventListener("pagehide", () => {
  keep()
  try {
    sessionStorage.setItem(KEPT, JSON.stringify([...left]))
    if (leaving?.isConnected) sessionStorage.setItem(LANDING, wanted)
  } catch {}
})
addEventListener("popstate", () => {
  const last = address
  address = location.pathname
  if (address === path && last === path) return // an #anchor of this page
  keep()
  returning = true
  came = history.state?.y
  stay(article, scrollY, performance.now() + 400)
})
// Material scrolls to that place at once, in the page that is still here, and stores how far that went.
const stay = (here, y, end) => {
  if (!here.isConnected || came === undefined) return
  if (performance.now() > end) return history.replaceState({ ...history.state, y: came }, "")
  scrollTo(0, y)
  requestAnimationFrame(() => stay(here, y, end))
}

// The keyboard goes on here, and a screen reader says it.
const goOnFrom = (element) => {
  element.tabIndex = -1
  element.focus({ preventScroll: true })
}

// A link's heading comes to the window's top, and is held there for half a second: while answers above it get their own
// heights, and while Material scrolls to where the page before was.
let wanted // where the last link leads; nothing once the reader moves the page that it leads to
let leaving // the article that it leads away from
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]")
  if (!link) return
  // A second click on what is on its way: Material would take back the first, and store the place of this page as that of the next.
  const isSecond = address !== path && link.href === location.href && !event.ctrlKey && !event.metaKey // those open a tab
  if (isSecond) return event.preventDefault(), event.stopPropagation()
  wanted = link.href
  leaving = link.pathname === location.pathname ? undefined : document.querySelector("article")
  setTimeout(() => {
    if (address !== location.pathname) returning = came = undefined // Back is not waited for any more
    address = location.pathname
    land()
  })
}, true)
for (const hand of ["wheel", "touchstart", "pointerdown", "keydown"]) addEventListener(hand, () => leaving?.isConnected || (wanted = undefined), { capture: true, passive: true })
const land = () => {
  if (wanted !== location.href) return
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)))
  if (!target) return
  if (!target.matches(":target")) {
    const link = document.createElement("a") // only a link that is followed makes it the :target
    link.href = location.hash
    link.click()
  }
  if (leaving) goOnFrom(target)
  // What the first frame shows is laid out now: with its own height it would move the heading in the next one.
  const { top } = target.getBoundingClientRect()
  const near = [...document.querySelectorAll(BOXES)].filter((box) => {
    const rect = box.getBoundingClientRect()
    return rect.bottom > top - innerHeight && rect.top < top + innerHeight
  })
  for (const box of near) box.style.contentVisibility = "visible"
  let still = 0
  const hold = () => {
    if (wanted !== location.href) return
    const { top } = target.getBoundingClientRect()
    target.scrollIntoView()
    still = Math.abs(target.getBoundingClientRect().top - top) < 1 ? still + 1 : 0
    if (still < 30) requestAnimationFrame(hold)
  }
  hold()
}

const find = () => {
  hush()
  restore()
  land()
  attend(document)
}
// To its #anchor a page that is loaded because it could not be fetched, or that was never read.
if (isLanding || (returning && location.hash && !left.has(location.pathname))) {
  returning = false
  wanted = location.href
}
find()

// A page that instant navigation shows begins at its top, wherever the reader was or went meanwhile.
const begin = () => goOnFrom(document.querySelector("article h1"))
document.addEventListener("page", () => {
  const isNew = !returning && !location.hash
  find()
  if (!isNew) return
  scrollTo(0, 0)
  begin()
})
document.addEventListener("click", (event) => event.target.closest?.(".md-top") && begin())

// A paragraph that is taken by three clicks ends for Chromium at its first formula.
document.addEventListener("mouseup", (event) => {
  const box = event.detail === 3 && event.target.closest?.("p, li, td, th, h1, h2, h3, figcaption")
  if (box && box.querySelector("mjx-container")) setTimeout(() => getSelection().selectAllChildren(box))
})
