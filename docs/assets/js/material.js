// Material's script, which takes a third of a second of a phone's processor, is fetched and run when the page has been drawn:
// until then it would hold the text back. A link that is followed earlier is an ordinary one, and search, menu and scheme work
// without it. From then on the event "page" tells of each page that instant navigation shows.
(() => {
  "use strict"
  const { src } = document.querySelector("[data-material]")

  // On a disk instant navigation cannot work, and Material then mounts nothing on the page: so it is not asked for.
  const config = document.getElementById("__config")
  if (location.protocol === "file:") config.textContent = config.textContent.replace(/"navigation\.instant[^"]*",? ?/g, "")

  // Elsewhere Material makes each address absolute, for which the browser would read all styles and fonts a second time and
  // lay out the page anew. So it is told that those of styles are, which is all that it asks.
  for (const link of document.querySelectorAll("link[rel='stylesheet']")) {
    const absolute = link.cloneNode()
    absolute.href = link.href
    link.getAttribute = (name) => absolute.getAttribute(name)
    Object.defineProperty(link, "outerHTML", { get: () => absolute.outerHTML })
  }

  const failed = new WeakSet() // styles that do not come: waited for once
  const loaded = (link) =>
    new Promise((resolve) => {
      link.onload = resolve
      link.onerror = () => resolve(failed.add(link))
    })

  // Formulas' styles come with a page that has formulas, and to the others now: if they came with the next page, by instant
  // navigation, its formulas would be drawn twice. Once here they stay.
  const FORMULAS = new URL("../css/mathjax.css", document.currentScript.src)
  async function formulas() {
    let link = document.querySelector("link[href$='/mathjax.css']")
    if (!link) {
      link = document.createElement("link")
      link.rel = "stylesheet"
      link.href = FORMULAS
      document.head.append(link)
      await loaded(link)
    }
    link.remove = () => {}
    for (const font of document.fonts) if (font.family.startsWith("MJX")) font.load()
  }

  // What only pages of the next one's kind have, a notebook's styles or the home page's, comes with it: so long it is not shown.
  async function styled() {
    const coming = [...document.querySelectorAll("link[rel='stylesheet']")].filter((link) => !link.sheet && !failed.has(link))
    if (!coming.length) return
    document.documentElement.style.visibility = "hidden"
    await Promise.race([Promise.all(coming.map(loaded)), new Promise((resolve) => setTimeout(resolve, 3000))])
  }

  let shown = document.currentScript.dataset.page // the path of the page that is shown; the address may be ahead

  // Back to another page of this document, before Material is there to answer.
  const turned = () => !window.document$ && location.pathname !== shown && location.reload()
  addEventListener("popstate", turned)
  turned()

  // A page that cannot be fetched is loaded: Material only sets the address, which with an #anchor is what it was already.
  const { open } = XMLHttpRequest.prototype
  XMLHttpRequest.prototype.open = function (method, url, ...rest) {
    const load = () => location.hash && location.pathname !== shown && location.pathname === new URL(url, location).pathname && location.reload()
    this.addEventListener("error", load)
    this.addEventListener("load", () => this.status < 400 || load())
    return open.call(this, method, url, ...rest)
  }

  // An answer that is no page of a book, such as a network's login, is loaded as well: Material would take over its head, and
  // with it lose all styles. By the error Material takes it for one that could not be fetched.
  const { parseFromString } = DOMParser.prototype
  DOMParser.prototype.parseFromString = function (text, type) {
    const answer = parseFromString.call(this, text, type)
    if (type !== "text/html" || answer.querySelector("[data-md-component='container']")) return answer
    location.reload() // the address is ahead
    throw new Error("no page of this book")
  }

  // An eighth of a second after each address Material closes search box and menu, and so it begins, with the page's #anchor:
  // not those that the reader has opened at this address.
  const keep = (toggle) => {
    const { href } = location
    toggle.click = () => location.href !== href && HTMLElement.prototype.click.call(toggle) // a touch does not come through here
    clearTimeout(toggle.kept)
    toggle.kept = setTimeout(() => delete toggle.click, 250)
  }
  document.addEventListener("change", ({ target }) => target.matches(".md-toggle:checked") && keep(target))

  // Its buttons that copy answer from then on: one that is pressed before is pressed again.
  let pressed
  const press = ({ target }) => (pressed = target.closest("[data-clipboard-target]") ?? pressed)
  document.addEventListener("click", press)

  // Its message that something was copied is said by screen readers.
  document.querySelector(".md-dialog").setAttribute("role", "status")

  const mount = () => {
    document.querySelectorAll(".md-toggle:checked").forEach(keep)
    document.dispatchEvent(new Event("DOMContentLoaded")) // what Material waits for
    let isFirst = true // the page that is here
    let turn = 0
    document$.subscribe(async () => {
      const path = (shown = location.pathname)
      if (isFirst) return (isFirst = false)
      const mine = ++turn
      await styled()
      if (mine !== turn) return // left for another while its styles were on their way
      document.documentElement.style.visibility = ""
      if (location.pathname === path) document.dispatchEvent(new Event("page")) // else Back was pressed, and its page is on its way
    })
    document.removeEventListener("click", press)
    pressed?.click()
    document.documentElement.dataset.material = "mounted" // for tests
  }
  const run = async () => {
    await formulas()
    const script = document.createElement("script")
    script.onload = () => setTimeout(mount) // a second task: between the two a touch is answered
    script.src = src
    document.body.append(script)
  }
  document.fonts.ready.then(() => requestAnimationFrame(() => setTimeout(run)))
})()
