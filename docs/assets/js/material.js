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

  // Formulas' styles come with a page that has formulas, and to the others now: if they came with the next page, by instant
  // navigation, its formulas would be drawn twice. Once here they stay.
  const FORMULAS = new URL("../css/mathjax.css", document.currentScript.src)
  async function formulas() {
    let link = document.querySelector("link[href$='/mathjax.css']")
    if (!link) {
      link = document.createElement("link")
      link.rel = "stylesheet"
      link.href = FORMULAS
      await new Promise((resolve) => {
        link.onload = link.onerror = resolve
        document.head.append(link)
      })
    }
    link.remove = () => {}
    for (const font of document.fonts) if (font.family.startsWith("MJX")) font.load()
  }

  const run = async () => {
    await formulas()
    const script = document.createElement("script")
    script.onload = () =>
      setTimeout(() => { // a second task: between the two a touch is answered
        document.dispatchEvent(new Event("DOMContentLoaded")) // what Material waits for
        let isFirst = true // the page that is here
        document$.subscribe(() => (isFirst ? (isFirst = false) : document.dispatchEvent(new Event("page"))))
      })
    script.src = src
    document.body.append(script)
  }
  document.fonts.ready.then(() => requestAnimationFrame(() => setTimeout(run)))
})()
