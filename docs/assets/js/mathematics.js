// Formulas are finished HTML; this adds two comforts. Without scripts a page reads the same.

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

// The keyboard: a displayed formula is a stop only while it is wider than its box.
const watch = new ResizeObserver((boxes) => {
  for (const { target } of boxes) {
    const wide = target.scrollWidth > target.clientWidth + 1
    for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", "Wide formula, scrolls sideways"]]) {
      wide ? target.setAttribute(name, value) : target.removeAttribute(name)
    }
  }
})
const find = () => {
  watch.disconnect()
  // Ready before the reader goes on to a page with formulas; the fonts stand in the style sheet.
  for (const font of document.fonts) if (font.family.startsWith("MJX")) font.load()
  for (const formula of document.querySelectorAll("mjx-container[display]")) watch.observe(formula)
}
// Material replaces the page's content on navigation and tells it by `document$`.
window.document$ ? document$.subscribe(find) : document.addEventListener("DOMContentLoaded", find)
