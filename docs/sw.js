// The service worker: keeps what was read, and when asked the whole book, to be read without a network.
//
// edition.json lists every file of an edition with a hash of its content. The cache holds files by path and hash, so
// that a new edition fetches only what changed, and no file is ever mistaken for another edition's.
// The build puts the edition in (scripts/handbook/offline.py); assets/js/offline.js is the page's side.
// It must go on with what earlier workers kept: the cache's name and its keys stay as they are.
"use strict"

const EDITION = "@EDITION@" // the hash of edition.json; a new one makes the browser install this file anew
const SCOPE = new URL("./", self.location)
const CACHE = SCOPE.pathname.slice(1, -1) || "handbook" // of this book alone: a host may have several
const TYPES = { html: "text/html", js: "text/javascript", css: "text/css", json: "application/json", svg: "image/svg+xml", png: "image/png", xml: "application/xml", webmanifest: "application/manifest+json" }

const at = (path, hash) => new URL(`${path}?${hash}`, SCOPE).href

function pathOf(url) {
  const path = new URL(url).pathname.slice(SCOPE.pathname.length).replace(/(^|\/)$/, "$1index.html")
  try {
    return decodeURIComponent(path)
  } catch {
    return path // malformed, so of no file
  }
}

const sha = async (bytes) =>
  [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("").slice(0, 16)

// Keeps a file if it is what this edition says; a server may already have the next.
async function keep(cache, path, hash, response) {
  if (!response.ok) return false
  const bytes = await response.arrayBuffer()
  if ((await sha(bytes)) !== hash) return false
  const type = TYPES[path.split(".").pop()] ?? "application/octet-stream"
  await cache.put(at(path, hash), new Response(bytes, { headers: { "content-type": `${type}; charset=utf-8` } }))
  return true
}

// Ends when `line`, an AbortController, does. It ends by itself where a server does not begin to answer for half a minute.
async function get(cache, path, hash, line) {
  if (await cache.match(at(path, hash))) return
  const ask = (path, mode) => {
    const late = setTimeout(() => line?.abort(new DOMException(path, "TimeoutError")), 30_000)
    return fetch(new URL(path, SCOPE), { cache: mode, signal: line?.signal }).finally(() => clearTimeout(late))
  }
  let response
  for (const mode of ["default", "reload"]) { // the browser's own cache may be older than the edition
    response = await ask(path, mode)
    if (await keep(cache, path, hash, response)) return
  }
  // A server that is asked for much at once may refuse a file; one that has the next edition may lack it.
  if (!response.ok) {
    const listed = await ask("edition.json", "no-store")
    if (!listed.ok || (await sha(await listed.arrayBuffer())) === EDITION) throw Object.assign(new Error(response.status), { name: "ServerError" })
  }
  throw Object.assign(new Error(`${path} is not of edition ${EDITION}`), { name: "OtherEdition" })
}

let known
async function edition() {
  known ??= (async () => {
    const cache = await caches.open(CACHE)
    await get(cache, "edition.json", EDITION)
    return (await cache.match(at("edition.json", EDITION))).json()
  })()
  known.catch(() => (known = undefined))
  return known
}

// Fetches what is missing, a few files at a time. After a failure nothing more is begun, and what was begun is awaited.
async function fill(paths, line) {
  const [{ files }, cache] = await Promise.all([edition(), caches.open(CACHE)])
  const queue = paths.filter((path) => files[path])
  let failure
  const work = async () => {
    for (let path; !failure && (path = queue.shift()); ) await get(cache, path, files[path][0], line).catch((error) => (failure ??= error))
  }
  await Promise.all(Array.from({ length: 6 }, work))
  if (failure) throw failure
}

async function tell(message) {
  for (const client of await self.clients.matchAll()) client.postMessage(message)
}

async function remove(isUnwanted) {
  const cache = await caches.open(CACHE)
  for (const { url } of await cache.keys()) if (isUnwanted(url)) await cache.delete(url)
}

// The reader has asked for the whole book if all of some edition is kept.
async function hasWhole(cache, have) {
  for (const url of have) {
    if (pathOf(url) !== "edition.json") continue
    const { files } = await (await cache.match(url)).json()
    if (Object.entries(files).every(([path, [hash]]) => have.has(at(path, hash)))) return true
  }
  return false
}

async function install() {
  const [{ files, core }, cache] = await Promise.all([edition(), caches.open(CACHE)])
  const have = new Set((await cache.keys()).map(({ url }) => url))
  const rest = (await hasWhole(cache, have)) ? Object.keys(files) : [...have].map(pathOf)
  await fill([...new Set([...core, ...rest])])
}

self.addEventListener("install", (event) =>
  event.waitUntil(
    install().catch(async (error) => {
      if (error.name !== "QuotaExceededError") throw error
      // No room for two editions: what was read makes way, else no new edition would ever come.
      await remove((url) => !/^(assets\/|edition\.json$)/.test(pathOf(url)))
      await install()
    }),
  ),
)

self.addEventListener("activate", (event) =>
  event.waitUntil(
    (async () => {
      const { files } = await edition()
      const wanted = new Set(Object.entries(files).map(([path, [hash]]) => at(path, hash))).add(at("edition.json", EDITION))
      await remove((url) => !wanted.has(url))
      await self.clients.claim()
    })(),
  ),
)

self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET" && event.request.url.startsWith(SCOPE.href)) event.respondWith(answer(event))
})

async function answer(event) {
  const { request } = event
  const path = pathOf(request.url)
  const [book, cache] = await Promise.all([edition().catch(() => null), caches.open(CACHE)])
  const find = async (path) => book?.files[path] && (await cache.match(at(path, book.files[path][0])))
  const found = await find(path)
  // While a new edition waits, a page that is not kept comes from it, and so do that page's scripts and styles.
  const client = self.registration.waiting && request.mode !== "navigate" && (await self.clients.get(event.clientId))
  const isNewer = client && !(await find(pathOf(client.url)))
  // A script with a query is wanted as the server has it (search.js).
  const isFresh = request.destination === "script" && new URL(request.url).search
  if (found && !isNewer && !isFresh) return found
  // Instant navigation would put a page of the new edition among the scripts of the old: refused, it loads the page.
  if (client && !found && !isNewer && !request.destination && path.endsWith(".html")) return Response.error()
  try {
    const response = await fetch(request)
    const hash = book?.files[path]?.[0]
    if (hash && response.ok) event.waitUntil(keep(cache, path, hash, response.clone()))
    if (!isNewer) return response
    // The browser's memory must not hand it to a page of this edition, for which it would not ask here.
    const { body, status, statusText } = response
    const headers = new Headers(response.headers)
    headers.set("cache-control", "no-store")
    return new Response(body, { status, statusText, headers })
  } catch (error) {
    if (found) return found
    if (request.mode !== "navigate") throw error
    // A host answers a folder, and a page's name alone, as well.
    const { search, hash } = new URL(request.url)
    const other = [`${path}/`, `${path}.html`].find((address) => book?.files[pathOf(new URL(address, SCOPE))])
    return Response.redirect(new URL(other ?? `offline.html#${encodeURIComponent(path + search + hash)}`, SCOPE))
  }
}

// ---- what pages ask, each with a port for the answer ---------------------------------------------

let filling = Promise.resolve()
let line = new AbortController() // on which pages have the book saved

const ASKED = {
  read: ({ url }) => fill([pathOf(url)]), // the page that was open before this worker was
  // Another tab may have taken this edition meanwhile: then the page only has to be loaded again.
  activate: (_, page) => (self.registration.waiting ? self.skipWaiting() : page.navigate(page.url)),
  async state() {
    const [{ files }, cache] = await Promise.all([edition(), caches.open(CACHE)])
    const have = new Set((await cache.keys()).map(({ url }) => url))
    const all = Object.entries(files)
    const missing = all.filter(([path, [hash]]) => !have.has(at(path, hash))).map(([path]) => path)
    return { missing, total: all.length, bytes: all.reduce((sum, [, [, size]]) => sum + size, 0) }
  },
  // The page saves the book by asking for a few files at a time: no event lasts, and the page can stop.
  keep({ paths }) {
    if (line.signal.aborted) line = new AbortController()
    const mine = line // also of what waits for another tab's files
    return (filling = filling.catch(() => {}).then(() => fill(paths, mine)))
  },
  // Ends what other tabs are saving too: they see that it was not they who stopped, and go on.
  stop: () => line.abort(),
  async forget() {
    await tell("stop")
    await filling.catch(() => {})
    const { files, core } = await edition()
    await remove((url) => files[pathOf(url)] && !core.includes(pathOf(url)))
    await tell("removed")
  },
}

self.addEventListener("message", (event) => {
  const answered = Promise.resolve(ASKED[event.data.type]?.(event.data, event.source)).then(
    (value) => event.ports[0]?.postMessage({ value }),
    ({ name, message }) => event.ports[0]?.postMessage({ failed: { name, message } }),
  )
  event.waitUntil(answered)
})
