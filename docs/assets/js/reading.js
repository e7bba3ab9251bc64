// Comforts: formulas are copied as TeX, wide boxes are reached by keyboard, Material's buttons are no landmarks.
// Without scripts a page reads the same.

// Copying: a selection that touches a formula takes it whole, as TeX between dollars.
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
  if (!formulas.length) return
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

// The keyboard: a formula or a table is a stop only while it is wider than its box.
const NAMES = { "MJX-CONTAINER": "Wide formula, scrolls sideways", DIV: "Wide table, scrolls sideways" }
const watch = new ResizeObserver((boxes) => {
  for (const { target } of boxes) {
    const wide = target.scrollWidth > target.clientWidth + 1
    for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", NAMES[target.tagName]]]) {
      wide ? target.setAttribute(name, value) : target.removeAttribute(name)
    }
  }
})
const attend = (within) => {
  for (const box of within.querySelectorAll("mjx-container[display], .md-typeset__scrollwrap")) watch.observe(box)
  // Each code block's buttons stand in a <nav> without a name.
  for (const buttons of within.querySelectorAll(".md-code__nav")) buttons.setAttribute("role", "none")
}
// Material wraps tables and adds buttons when it comes to them, and puts in the next page on navigation.
new MutationObserver((changes) => {
  for (const { addedNodes, target } of changes) if (addedNodes.length && target.nodeType === 1) attend(target)
}).observe(document.documentElement, { childList: true, subtree: true })

const find = () => {
  // Ready before the reader goes on to a page with formulas; the fonts stand in the style sheet.
  for (const font of document.fonts) if (font.family.startsWith("MJX")) font.load()
  attend(document)
}
// Material tells of each page by `document$`.
window.document$ ? document$.subscribe(find) : document.addEventListener("DOMContentLoaded", find)
