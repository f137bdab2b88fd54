-- 100,000 users in 1,000 pages over loopback: rollcall against the floor and against what a script
-- author would write otherwise; then 15,000 by TLS, as the directories themselves are asked. Whole
-- processes, from their start to their end. By TLS LuaSec's wall time is mostly that of delayed
-- acknowledgements, which its requests happen to wait for; its CPU time says more.

local bench = require "spec.bench.bench"
local core = require "rollcall.core"
local http = require "spec.support.http"
local sandbox = require "spec.bench.sandbox"

local ROUNDS = 5

local token = sandbox.tesouro_token()

---@class bench.Walk
---@field title string
---@field users integer
---@field url string of the directory
---@field ca_file string? for https

local function headers_of(walk)
  return { "Authorization: Bearer " .. token, "X-Organization-ID: " .. sandbox.organization(walk.users),
    "Accept: application/json", "User-Agent: floor" }
end

--- Writes the addresses of all pages, which the floor is given.
local function write_urls(walk, path)
  local file = assert(io.open(path, "w"))
  local first = walk.url .. "/identity/v1/users?Limit=100"
  local url = first
  while url do
    file:write(url, "\n")
    local answer = http.request { url = url, headers = headers_of(walk), ca_file = walk.ca_file }
    assert(answer.status == 200, answer.body)
    local decoder = core.decoder { items = "/data", capture = { "/nextPaginationToken" } }
    assert(decoder:feed(answer.body))
    local following = decoder:captured "/nextPaginationToken"
    url = type(following) == "string" and first .. "&PaginationToken=" .. following:gsub("[^%w]", function(char)
      return ("%%%02X"):format(char:byte())
    end)
  end
  file:close()
end

--- What a contender finds in its environment.
local function environment(walk)
  local words = { "env", "WALK_URL=" .. walk.url, "WALK_TOKEN=" .. token,
    "WALK_ORGANIZATION=" .. sandbox.organization(walk.users) }
  if walk.ca_file then
    words[#words + 1] = "WALK_CA_FILE=" .. walk.ca_file
    words[#words + 1] = "NODE_EXTRA_CA_CERTS=" .. walk.ca_file
  end
  return words
end

--- The contenders of a walk and their command lines: the floor first, then ours.
local function contenders_of(walk)
  local list = {}

  local function add(is_there, name, command)
    if not is_there then
      bench.note(name .. ": not installed, left out")
      return
    end
    local words = environment(walk)
    for _, word in ipairs(command) do
      words[#words + 1] = word
    end
    list[#list + 1] = { name = name, command = words }
  end

  local urls = bench.scratch(walk.ca_file and "tls-urls" or "urls")
  write_urls(walk, urls)
  local floor = headers_of(walk)
  table.insert(floor, 1, urls)
  table.insert(floor, 1, (bench.program "floor"))
  add(true, "libcurl in C, bytes thrown away", floor)
  for _, lua in ipairs(bench.luas) do
    add(true, "rollcall, " .. bench.names[lua], bench.script(lua, "tasks/walk.lua"))
  end
  local client = walk.ca_file and "ssl.https" or "socket.http"
  for _, lua in ipairs { "lua5.4", "luajit" } do
    add(bench.has_module(lua, client), ("%s + cjson, %s"):format(client, bench.names[lua]),
      bench.script(lua, "peers/socket_http.lua"))
  end
  if not walk.ca_file then
    for _, lua in ipairs { "lua5.4", "luajit" } do
      add(bench.has_module(lua, "socket"), ("LuaSocket + cjson, %s"):format(bench.names[lua]),
        bench.script(lua, "peers/luasocket.lua"))
    end
  end
  add(bench.has_module("luajit", "curl"), "lua-curl + cjson, LuaJIT", bench.script("luajit", "peers/luacurl.lua"))
  add(bench.has "/usr/bin/python3", "Python, http.client + json",
    { "/usr/bin/python3", bench.path "peers/http_client.py" })
  add(bench.has "node", "Node, fetch", { "node", bench.path "peers/fetch.js" })
  return list
end

--- All but the floor, which does not count users, must have seen the same.
local function compare_what_was_seen(walk, contenders, costs)
  local seen
  for i = 2, #contenders do
    for _, cost in ipairs(costs[contenders[i].name]) do
      seen = seen or cost.said.walked
      assert(cost.said.walked == seen, contenders[i].name .. " walked " .. tostring(cost.said.walked))
    end
  end
  assert(tonumber(seen:match "^%d+") == walk.users)
end

local function show(walk, contenders, costs)
  local floor, ours = costs[contenders[1].name], costs[contenders[2].name]
  local rows = { { "", "wall s", "CPU s", "CPU us/user", "peak MiB", "wall / floor", "wall / rollcall",
    "CPU / rollcall" } }
  for i, one in ipairs(contenders) do
    local cost = costs[one.name]
    local cpu = bench.median_of(cost, function(c) return c.cpu end)
    rows[i + 1] = {
      one.name,
      ("%.3f"):format(bench.median_of(cost, function(c) return c.wall end)),
      ("%.3f"):format(cpu),
      ("%.2f"):format(cpu / walk.users * 1e6),
      ("%.1f"):format(bench.median_of(cost, function(c) return c.peak end)),
      ("%.2f"):format(bench.ratio_of(cost, floor, "wall")),
      ("%.2f"):format(bench.ratio_of(cost, ours, "wall")),
      ("%.2f"):format(bench.ratio_of(cost, ours, "cpu")),
    }
  end
  bench.print(walk.title, rows)
end

--- Keeps what bars.lua names.
local function keep(contenders, costs)
  local floor = costs[contenders[1].name]
  for i, lua in ipairs(bench.luas) do
    local ours = costs[contenders[i + 1].name]
    bench.result("walk." .. lua .. ".floor", bench.ratio_of(ours, floor, "wall"))
    local theirs = costs["LuaSocket + cjson, " .. bench.names[lua]]
    if theirs then
      bench.result("walk." .. lua .. ".luasocket", bench.ratio_of(theirs, ours, "wall"))
    end
  end
end

---@type bench.Walk[]
local walks = {
  { title = "walk of 100,000 users in 1,000 pages, whole processes", users = 100000,
    url = sandbox.tesouro_url },
  { title = "walk of 15,000 users in 150 pages by TLS, whole processes", users = 15000,
    url = sandbox.tesouro_https_url, ca_file = sandbox.ca_file },
}
for _, walk in ipairs(walks) do
  local contenders = contenders_of(walk)
  local costs = bench.rounds(ROUNDS, contenders)
  compare_what_was_seen(walk, contenders, costs)
  show(walk, contenders, costs)
  if not walk.ca_file then
    keep(contenders, costs)
  end
end
