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

  // Downloads are not kept (handbook.css says so).
  const mark = () => document.documentElement.toggleAttribute("data-no-network", !navigator.onLine)
  window.addEventListener("online", mark)
  window.addEventListener("offline", mark)
  mark()

  // ---- a new edition -------------------------------------------------------------------------

  const LATER = "handbook.later" // of this tab: the reader closed the notice, and is told of the next edition only
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
    let from // where the keyboard was
    const close = () => {
      if (notice.contains(document.activeElement)) from?.focus({ preventScroll: true })
      notice = void notice.remove()
      document.documentElement.removeAttribute("data-edition-notice")
      remember("yes")
    }
    notice.addEventListener("focusin", ({ relatedTarget }) => notice.contains(relatedTarget) || (from = relatedTarget))
    notice.addEventListener("keydown", ({ key }) => key === "Escape" && close())
    document.body.prepend(notice) // by keyboard the page's first stop
    document.documentElement.setAttribute("data-edition-notice", "") // what has the focus is not left below it
    const words = ["A new edition of the book is here. ", button("Read it", take, true), " ", button("Later", close)]
    setTimeout(() => notice?.append(...words)) // said by a screen reader, where the empty box is there before
  }
  const remember = (value) => {
    try {
      value ? sessionStorage.setItem(LATER, value) : sessionStorage.removeItem(LATER)
    } catch {} // storage is forbidden
  }
  const isLater = () => {
    try {
      return sessionStorage.getItem(LATER)
    } catch {}
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
    const ready = () =>
      announce(() => {
        if (!registration.waiting) return reload() // another tab took it
        taking = true
        registration.waiting.postMessage({ type: "activate" })
      })
    const watch = (worker) =>
      worker?.addEventListener("statechange", () => {
        if (worker.state === "installed" && workers.controller) {
          remember()
          ready()
        }
        if (worker.state === "redundant" && !registration.active) refuse()
      })
    if (registration.waiting && workers.controller && !isLater()) ready()
    watch(registration.installing) // already, when the browser looked by itself
    registration.addEventListener("updatefound", () => watch(registration.installing))
    // The browser itself looks for a new edition, soon after it has loaded a page: not when instant navigation shows one, nor
    // in a tab that is open for days.
    const look = () => navigator.onLine && registration.update().catch(() => {})
    document.addEventListener("page", look)
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && look())
  }, refuse) // as in some private windows

  // The book is read online, and the page that would save it says so.
  let isRefused = false
  function refuse() {
    isRefused = true
    const output = document.querySelector("[data-offline] output")
    if (output) output.textContent = "This browser keeps nothing now, or the server does not answer as it should. Load this page again later, or read the book from a disk."
  }

  // Asks the worker, and promises its answer.
  const ask = async (message) => {
    const { active } = await workers.ready
    const { port1, port2 } = new MessageChannel()
    active.postMessage(message, [port2])
    const { data } = await new Promise((resolve, reject) => {
      port1.onmessage = resolve
      setTimeout(reject, 120_000, { name: "Silence" }) // the browser has ended the worker, or the network hangs
    })
    if (data.failed) throw data.failed
    return data.value
  }
  if (first) ask({ type: "read", url: location.href }).catch(() => {})

  // ---- the page "Read offline" ---------------------------------------------------------------

  panel(ask)

  function panel(ask) {
    const STOPPED = {
      QuotaExceededError: "Stopped: the browser gives the book no more room. Make room on the device and go on, or remove what is saved.",
      OtherEdition: "Stopped: a new edition was published meanwhile. Load this page again, read the new edition, and go on.",
      Silence: "Stopped: no answer for two minutes. What was saved stays; press the button to go on.",
      ServerError: "Stopped: the server does not answer as it should (#). What was saved stays; press the button later to go on.",
      TypeError: "Stopped: no network. What was saved stays; press the button to go on.",
    }
    const size = (bytes) => `${Math.ceil(bytes / 1e6)} MB`
    const saved = ({ missing, total, bytes }) =>
      missing.length ? `Saved: ${total - missing.length} of ${total} files. The whole book takes ${size(bytes)}.` : `The whole book is saved: ${total} files, ${size(bytes)}.`
    let state // what the worker last said
    let saving = false // goes on while the reader looks at other pages by instant navigation
    let stopping = false

    // Shows `text` and the state where the page is open.
    function draw(text) {
      const box = document.querySelector("[data-offline]")
      if (!box) return
      const [save, forget] = box.querySelectorAll("button")
      const bar = box.querySelector("progress")
      const isWhole = !saving && state.missing.length === 0
      save.textContent = saving ? "Stop saving" : isWhole ? "All is saved" : "Save the whole book"
      save.disabled = stopping || isWhole // and stays: the other button must not come under a finger that is about to stop
      forget.hidden = bar.hidden = false
      bar.max = state.total
      bar.value = state.total - state.missing.length
      box.querySelector("[data-count]").textContent = saving ? `${bar.value} of ${bar.max} files` : "" // not said for each of them
      const output = box.querySelector("output")
      if (output.textContent !== text) output.textContent = text
    }
    const progress = () => draw("Saving. Leave this tab open.")
    const refresh = async (text) => {
      state = await ask({ type: "state" })
      if (!saving) draw(text ?? saved(state))
    }

    async function saveAll() {
      saving = true
      progress()
      navigator.storage?.persist?.() // asks the browser not to clear it when space runs short
      let text
      try {
        // Asked again at the end: another tab may have taken a new edition.
        while (!stopping && (state = await ask({ type: "state" })).missing.length)
          while (!stopping && state.missing.length) {
            try {
              await ask({ type: "keep", paths: state.missing.slice(0, 12) })
            } catch (error) {
              if (!["AbortError", "TimeoutError"].includes(error.name)) throw error
              if (error.name === "TimeoutError" && !stopping) draw("No answer for half a minute. Trying again.")
              break // another tab stopped, or the line hung: seen what is kept, goes on
            }
            state.missing.splice(0, 12)
            if (!stopping) progress()
          }
      } catch ({ name, message }) {
        text = STOPPED[name]?.replace("#", message) ?? `Stopped: ${message}`
        if (name === "Silence") hangUp() // else the next files would wait for these
      }
      saving = stopping = false
      await refresh(text)
    }

    const hangUp = () => ask({ type: "stop" }).catch(() => {}) // what the worker is fetching may take long, or never come
    function stop() {
      stopping = saving
      if (!saving) return
      draw("Stopping …")
      hangUp()
    }

    function show() {
      const box = document.querySelector("[data-offline]")
      if (!box || box.dataset.ready) return
      box.dataset.ready = "yes"
      showMissing(document.querySelector("[data-offline-missing]"))
      if (!ask) {
        box.querySelector("output").textContent = location.protocol === "file:" ? "You are reading a copy on a disk: all of it is here." : "This browser, or this way of serving the book, keeps nothing offline."
        return
      }
      const [save, forget] = box.querySelectorAll("button")
      let pressed = -Infinity // when this button was, in ms: a double click is one, and does not stop what it has begun
      save.addEventListener("click", ({ timeStamp }) => {
        if (timeStamp - pressed < 500) return
        pressed = timeStamp
        saving ? stop() : saveAll()
      })
      const { textContent: label } = forget
      let asking // the timer of the question
      forget.addEventListener("click", () => {
        const isSure = forget.textContent !== label
        clearTimeout(asking)
        forget.textContent = isSure ? label : "Remove all? Press again"
        if (isSure) ask({ type: "forget" }).catch(() => {}) // then each tab is told
        else asking = setTimeout(() => (forget.textContent = label), 6000)
      })
      if (isRefused) return refuse()
      saving ? progress() : refresh().catch(() => {})
    }

    // The worker leads here with the path that it does not have, and that page's #anchor; another #anchor is one of the
    // headings here.
    function showMissing(box) {
      let address = location.hash.slice(1)
      try {
        address = decodeURIComponent(address)
      } catch {} // malformed: shown as it is
      if (!address || document.getElementById(address)) return
      box.hidden = false
      box.querySelector("code").textContent = address.replace(/[?#].*/, "")
      box.querySelector("a").href = new URL(".", location.href) + address // put together: it leads nowhere but below this folder
    }
    // Not when this page is opened: a browser without a network often says that it has one.
    const goOn = () => {
      const again = document.querySelector("[data-offline-missing]:not([hidden]) a")
      if (again && !saving) location.replace(again.href)
    }
    window.addEventListener("online", () => setTimeout(goOn, 1000)) // it is told before the line carries anything

    workers?.addEventListener("message", ({ data }) => {
      if (data === "stop") stop()
      if (data === "removed") refresh()
    })
    workers?.startMessages()
    show()
    document.addEventListener("page", show)
  }
})()
