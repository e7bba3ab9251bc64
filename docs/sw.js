// The service worker: keeps what was read, and when asked the whole book, to be read without a network.
//
// edition.json lists every file of an edition with a hash of its content. The cache holds files by path and hash, so
// that a new edition fetches only what changed, and no page is ever shown with another edition's scripts.
// The build puts the edition in (scripts/handbook/offline.py); assets/js/offline.js is the page's side.
"use strict"

const EDITION = "@EDITION@" // the hash of edition.json; a new one makes the browser install this file anew
const CACHE = "handbook"
const WHOLE = "whole-book" // an entry by this name says that the reader asked for everything
const SCOPE = new URL("./", self.location)
const TYPES = { html: "text/html", js: "text/javascript", css: "text/css", json: "application/json", svg: "image/svg+xml", png: "image/png", xml: "application/xml", webmanifest: "application/manifest+json" }

const at = (path, hash) => new URL(`${path}?${hash}`, SCOPE).href
const pathOf = (url) => decodeURIComponent(new URL(url).pathname.slice(SCOPE.pathname.length)).replace(/(^|\/)$/, "$1index.html")

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

async function get(cache, path, hash) {
  if (await cache.match(at(path, hash))) return
  const url = new URL(path, SCOPE)
  for (const mode of ["default", "reload"]) // the browser's own cache may be older than the edition
    if (await keep(cache, path, hash, await fetch(url, { cache: mode }))) return
  throw new Error(`${path} is not of edition ${EDITION}`)
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

// Fetches what is missing, a few files at a time; `told` hears of each.
async function fill(paths, told = () => {}) {
  const [{ files }, cache] = await Promise.all([edition(), caches.open(CACHE)])
  const queue = paths.filter((path) => files[path])
  let done = 0
  const work = async () => {
    for (let path; (path = queue.shift()); ) {
      await get(cache, path, files[path][0])
      told(++done)
    }
  }
  await Promise.all(Array.from({ length: 6 }, work))
}

async function kept() {
  const cache = await caches.open(CACHE)
  return new Map((await cache.keys()).map((request) => [pathOf(request.url), request]))
}

self.addEventListener("install", (event) =>
  event.waitUntil(
    (async () => {
      const [{ files, core }, old] = await Promise.all([edition(), kept()])
      await fill(old.has(WHOLE) ? Object.keys(files) : [...new Set([...core, ...old.keys()])])
    })(),
  ),
)

self.addEventListener("activate", (event) =>
  event.waitUntil(
    (async () => {
      const [{ files }, cache] = await Promise.all([edition(), caches.open(CACHE)])
      const wanted = new Set(Object.entries(files).map(([path, [hash]]) => at(path, hash)))
      wanted.add(at("edition.json", EDITION)).add(new URL(WHOLE, SCOPE).href)
      for (const request of await cache.keys()) if (!wanted.has(request.url)) await cache.delete(request)
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
  const hash = book?.files[path]?.[0]
  const found = hash && (await cache.match(at(path, hash)))
  if (found) return found
  try {
    const response = await fetch(request)
    if (hash && response.ok) event.waitUntil(keep(cache, path, hash, response.clone()))
    return response
  } catch (error) {
    if (request.mode !== "navigate") throw error
    return Response.redirect(new URL(`offline.html#${encodeURIComponent(path)}`, SCOPE))
  }
}

// ---- what pages ask ----------------------------------------------------------------------------

async function state() {
  const [{ files }, have] = await Promise.all([edition(), kept()])
  const all = Object.entries(files)
  const saved = all.filter(([path]) => have.has(path))
  return { type: "state", total: all.length, saved: saved.length, bytes: all.reduce((sum, [, [, size]]) => sum + size, 0) }
}

async function tell(message) {
  for (const client of await self.clients.matchAll()) client.postMessage(message)
}

const ASKED = {
  state: async () => tell(await state()),
  read: ({ url }) => fill([pathOf(url)]), // the page that was open before this worker was
  activate: () => self.skipWaiting(),
  async save() {
    const [{ files }, cache] = await Promise.all([edition(), caches.open(CACHE)])
    const total = Object.keys(files).length
    try {
      await cache.put(new URL(WHOLE, SCOPE).href, new Response(""))
      let last = 0
      await fill(Object.keys(files), (done) => {
        if (done < total && Date.now() - last < 100) return
        last = Date.now()
        tell({ type: "progress", done, total })
      })
      await tell({ type: "saved", total })
    } catch (error) {
      await tell({ type: "failed", cause: String(error) })
    }
  },
  async forget() {
    const [{ files, core }, cache, have] = await Promise.all([edition(), caches.open(CACHE), kept()])
    for (const [path, request] of have) if (path === WHOLE || (files[path] && !core.includes(path))) await cache.delete(request)
    await tell(await state())
  },
}
self.addEventListener("message", (event) => event.waitUntil(Promise.resolve(ASKED[event.data.type]?.(event.data))))
