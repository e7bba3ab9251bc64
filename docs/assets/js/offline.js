// The page's side of reading offline: starts the service worker, tells of a new edition, saves the whole book.
// Under `make serve` there is no web manifest and no worker. On file:// none is needed: the book is on the disk.
(() => {
  "use strict"
  const workers = navigator.serviceWorker
  const manifest = document.querySelector("link[rel='manifest']")
  if (!workers || !location.protocol.startsWith("http")) return panel(null)
  if (!manifest) {
    workers.getRegistrations().then((all) => all.forEach((registration) => registration.unregister()))
    return panel(null)
  }
  const scope = new URL("./", manifest.href)

  // ---- a new edition -------------------------------------------------------------------------

  let notice
  function announce(take) {
    if (notice) return
    notice = document.createElement("div")
    notice.className = "edition md-typeset"
    notice.setAttribute("role", "status")
    const button = (text, act, primary) => {
      const made = document.createElement("button")
      made.className = primary ? "md-button md-button--primary" : "md-button"
      made.textContent = text
      made.addEventListener("click", act)
      return made
    }
    const close = () => (notice = void notice.remove())
    document.body.append(notice)
    notice.append("A new edition of the book is here. ", button("Read it", take, true), " ", button("Later", close))
  }

  const reload = () => location.reload()
  let first = !workers.controller // the first worker changes nothing for the reader
  let taking = false
  workers.addEventListener("controllerchange", () => {
    if (taking) reload()
    else if (!first) announce(reload) // another tab took it
    first = false
  })

  workers.register(new URL("sw.js", scope), { scope: scope.pathname, updateViaCache: "none" }).then((registration) => {
    const ready = (worker) =>
      announce(() => {
        taking = true
        worker.postMessage({ type: "activate" })
      })
    if (registration.waiting && workers.controller) ready(registration.waiting)
    registration.addEventListener("updatefound", () => {
      const worker = registration.installing
      worker.addEventListener("statechange", () => {
        if (worker.state === "installed" && workers.controller) ready(worker)
      })
    })
    // The browser looks for a new edition when it likes; a reader is told at once, and in a tab open for days too.
    const look = () => navigator.onLine && registration.update().catch(() => {})
    if (workers.controller) look()
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && look())
  }, () => {}) // refused, as in some private windows: the book is read online
  const ask = (message) => workers.ready.then((registration) => registration.active.postMessage(message))
  if (first) ask({ type: "read", url: location.href })

  // ---- the page "Read offline" ---------------------------------------------------------------

  panel(ask)

  function panel(ask) {
    const show = () => {
      const box = document.querySelector("[data-offline]")
      if (!box || box.dataset.ready) return
      box.dataset.ready = "yes"
      const [save, forget] = box.querySelectorAll("button")
      const bar = box.querySelector("progress")
      const text = box.querySelector("output")
      const missing = document.querySelector("[data-offline-missing]")
      if (location.hash.length > 1 && /\.html$/.test(location.hash)) {
        missing.hidden = false
        missing.querySelector("code").textContent = decodeURIComponent(location.hash.slice(1))
      }
      if (!ask) {
        text.textContent = location.protocol === "file:" ? "You are reading a copy on a disk: all of it is here." : "This browser, or this way of serving the book, keeps nothing offline."
        return
      }
      const size = (bytes) => `${Math.ceil(bytes / 1e6)} MB`
      const heard = {
        state({ saved, total, bytes }) {
          const whole = saved === total
          save.hidden = whole
          save.disabled = false
          forget.hidden = false
          bar.max = total
          bar.value = saved
          bar.hidden = false
          text.textContent = whole ? `The whole book is saved: ${total} files, ${size(bytes)}.` : `Saved: ${saved} of ${total} files. The whole book takes ${size(bytes)}.`
        },
        progress({ done, total }) {
          bar.max = total
          bar.value = done
          text.textContent = `Saving: ${done} of ${total} files`
        },
        saved: () => ask({ type: "state" }),
        failed() {
          save.disabled = false
          text.textContent = "Stopped: no network, or a new edition came. What was saved stays; press the button to go on."
        },
      }
      const listen = ({ data }) => (box.isConnected ? heard[data.type]?.(data) : workers.removeEventListener("message", listen))
      workers.addEventListener("message", listen)
      workers.startMessages()
      save.addEventListener("click", () => {
        save.disabled = true
        navigator.storage?.persist?.() // asks the browser not to clear it when space runs short
        ask({ type: "save" })
      })
      forget.addEventListener("click", () => ask({ type: "forget" }))
      ask({ type: "state" })
    }
    window.document$ ? document$.subscribe(show) : show()
  }
})()
